{{ config(materialized='view') }}

with exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        variant_key,
        first_exposed_at
    from {{ ref('first_exposures') }}

),

events as (

    select * from {{ ref('stg_events') }}

)

select
    exposures.experiment_id as experiment_id,
    exposures.variant_key as variant_key,
    exposures.unit_type as unit_type,
    exposures.user_id as user_id,
    exposures.first_exposed_at as first_exposed_at,
    events.event_id as event_id,
    events.event_type as event_type,
    events.session_id as session_id,
    events.occurred_at as occurred_at,
    events.event_date as event_date,
    events.value as value,
    events.properties as properties,
    events.is_conversion as is_conversion
from events
inner join exposures
    on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
where
    events.experiment_id in (0, exposures.experiment_id)
    and events.occurred_at >= exposures.first_exposed_at
