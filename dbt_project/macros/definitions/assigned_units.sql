{% macro assigned_units_rows(assignments) %}
{#-
    One row per experiment and assigned unit: its first variant, and in how many it is. What a person took over from an
    anonymous id has the time of the original, which alone has the attributes.
-#}
{%- set order = '(assignments.assigned_at, assignments.variant_key, assignments.sent_as = user_id, assignments.sent_as)' -%}
select
    experiment_id,
    unit_type,
    user_id,
    toUInt32(uniqExact(assignments.variant_key)) as variants,
    argMin(assignments.variant_key, {{ order }}) as variant_key,
    argMin(assignments.version, {{ order }}) as version,
    argMin(assignments.attributes, {{ order }}) as attributes,
    min(assignments.assigned_at) as assigned_at
from {{ assignments }} as assignments
group by experiment_id, unit_type, user_id
{% endmacro %}
