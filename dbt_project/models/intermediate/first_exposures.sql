{{ config(order_by='(experiment_id, unit_type, user_id)') }}

with experiments as (

    select
        experiment_id,
        unit_type,
        population
    from {{ ref('stg_experiments') }}

),

units as (

    select
        experiment_id,
        unit_type,
        user_id,
        variant_key,
        version,
        assigned_at
    from {{ ref('assigned_units') }}
    where variants = 1

),

exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        min(occurred_at) as exposed_at
    from {{ ref('stg_events') }}
    where event_type = 'exposure' and experiment_id > 0
    group by experiment_id, unit_type, user_id

),

population as (

    select
        units.experiment_id as experiment_id,
        units.unit_type as unit_type,
        units.user_id as user_id,
        units.variant_key as variant_key,
        units.version as version,
        -- The epoch stands for "never exposed": an accepted event is never that old.
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
    first_exposed_at,
    toDate(first_exposed_at, 'UTC') as exposure_date
from population
