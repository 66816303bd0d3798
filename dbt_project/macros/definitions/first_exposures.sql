{% macro first_exposures_rows(assignments, exposures, experiments, interruptions, condition='1') %}
{#-
    One row per experiment and analysed unit.
    assignments: rows of assigned_units; exposures: events; interruptions: at which none counts; condition: on
    exposure_date.
-#}
with experiments as (

    select
        experiment_id,
        unit_type,
        population
    from {{ experiments }}

),

units as (

    select
        experiment_id,
        unit_type,
        user_id,
        variant_key,
        version,
        attributes,
        assigned_at
    from {{ assignments }}
    where variants = 1

),

exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        min(counted.occurred_at) as exposed_at
    from {{ counted_exposures(exposures, interruptions) }} as counted
    group by experiment_id, unit_type, user_id

),

population as (

    select
        units.experiment_id as experiment_id,
        units.unit_type as unit_type,
        units.user_id as user_id,
        units.variant_key as variant_key,
        units.version as version,
        units.attributes as attributes,
        if(experiments.population = 'assigned', units.assigned_at, exposures.exposed_at) as first_exposed_at
    from units
    inner join experiments
        on units.experiment_id = experiments.experiment_id and units.unit_type = experiments.unit_type
    left join exposures
        on
            units.experiment_id = exposures.experiment_id
            and units.unit_type = exposures.unit_type
            and units.user_id = exposures.user_id
    where experiments.population = 'assigned' or exposures.user_id != ''

)

select
    experiment_id,
    unit_type,
    user_id,
    variant_key,
    version,
    attributes,
    first_exposed_at,
    toDate(first_exposed_at, 'UTC') as exposure_date
from population
where {{ condition }}
{% endmacro %}
