{{ config(order_by='(experiment_id, unit_type, user_id)') }}

select
    experiment_id,
    unit_type,
    user_id,
    min(exposures.occurred_at) as first_exposed_at,
    count() as exposures,
    toUInt32(uniqExactIf(variant_key, variant_key != '')) as variants
from {{ ref('stg_events') }} as exposures
where event_type = 'exposure' and experiment_id > 0
group by experiment_id, unit_type, user_id
