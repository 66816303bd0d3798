{{ config(order_by='(experiment_id, version, variant_key)') }}

with units as (

    select
        assigned.experiment_id as experiment_id,
        assigned.version as version,
        assigned.variant_key as variant_key,
        exposed.user_id != '' as is_exposed,
        journeys.user_id != '' as is_analysed,
        journeys.events > 0 as is_active
    from {{ ref('assigned_units') }} as assigned
    left join {{ ref('exposed_units') }} as exposed
        on
            assigned.experiment_id = exposed.experiment_id
            and assigned.unit_type = exposed.unit_type
            and assigned.user_id = exposed.user_id
    left join {{ ref('user_journeys') }} as journeys
        on
            assigned.experiment_id = journeys.experiment_id
            and assigned.unit_type = journeys.unit_type
            and assigned.user_id = journeys.user_id

)

select
    experiment_id,
    version,
    variant_key,
    count() as assigned_units,
    countIf(is_exposed) as exposed_units,
    countIf(is_active) as active_units,
    countIf(is_analysed) as analysed_units
from units
group by experiment_id, version, variant_key
