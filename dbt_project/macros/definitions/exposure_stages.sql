{% macro exposure_stages_rows(assigned, exposed, journeys) %}
{#- One row per experiment, entry configuration version and variant. -#}
with units as (

    select
        experiment_id,
        version,
        variant_key,
        count() as assigned_units
    from {{ assigned }}
    group by experiment_id, version, variant_key

),

exposed as (

    select
        assigned.experiment_id as experiment_id,
        assigned.version as version,
        assigned.variant_key as variant_key,
        count() as exposed_units
    from {{ assigned }} as assigned
    inner join {{ exposed }} as exposed
        on
            assigned.experiment_id = exposed.experiment_id
            and assigned.unit_type = exposed.unit_type
            and assigned.user_id = exposed.user_id
    group by experiment_id, version, variant_key

),

analysed as (

    select
        experiment_id,
        version,
        variant_key,
        countIf(journeys.events > 0) as active_units,
        count() as analysed_units
    from {{ journeys }} as journeys
    group by experiment_id, version, variant_key

)

select
    units.experiment_id as experiment_id,
    units.version as version,
    units.variant_key as variant_key,
    units.assigned_units as assigned_units,
    exposed.exposed_units as exposed_units,
    analysed.active_units as active_units,
    analysed.analysed_units as analysed_units
from units
left join exposed
    on
        units.experiment_id = exposed.experiment_id
        and units.version = exposed.version
        and units.variant_key = exposed.variant_key
left join analysed
    on
        units.experiment_id = analysed.experiment_id
        and units.version = analysed.version
        and units.variant_key = analysed.variant_key
{% endmacro %}
