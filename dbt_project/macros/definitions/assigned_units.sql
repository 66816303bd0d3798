{% macro assigned_units_rows(assignments) %}
{#- One row per experiment and assigned unit: its first variant, and in how many it is. -#}
select
    experiment_id,
    unit_type,
    user_id,
    toUInt32(uniqExact(assignments.variant_key)) as variants,
    argMin(assignments.variant_key, (assignments.assigned_at, assignments.variant_key)) as variant_key,
    argMin(assignments.version, (assignments.assigned_at, assignments.variant_key)) as version,
    argMin(assignments.attributes, (assignments.assigned_at, assignments.variant_key)) as attributes,
    min(assignments.assigned_at) as assigned_at
from {{ assignments }} as assignments
group by experiment_id, unit_type, user_id
{% endmacro %}
