{{ config(
    materialized='daily_partitions',
    axis='exposure',
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, unit_type, user_id)'
) }}

-- depends_on: {{ ref('touched_days') }}
with exposures as (

    select * from {{ ref('first_exposures') }}
    where {{ only_days('exposure_date') }}

),

events as (

    select * from {{ ref('stg_events') }}
    where (unit_type, sent_as) in ({{ sent_ids('exposures') }})

),

attributed as (

    select
        exposures.experiment_id as experiment_id,
        exposures.unit_type as unit_type,
        exposures.user_id as user_id,
        events.event_id as event_id,
        events.event_type as event_type,
        events.session_id as session_id,
        events.occurred_at as occurred_at,
        events.is_conversion as is_conversion,
        events.value as value
    from events
    inner join exposures
        on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
    where
        events.experiment_id in (0, exposures.experiment_id)
        and events.occurred_at >= exposures.first_exposed_at

),

units as (

    select
        experiment_id,
        unit_type,
        user_id,
        countIf(event_type != 'exposure') as events,
        countIf(event_type = 'exposure') as exposures,
        countIf(is_conversion) as conversions,
        sum(attributed.value) as value,
        uniqExactIf(session_id, session_id != '') as sessions,
        minIf(occurred_at, is_conversion) as first_converted_at,
        max(occurred_at) as last_event_at,
        arrayMap(
            step -> step.3,
            arraySlice(
                arraySort(
                    groupArrayIf((occurred_at, toString(event_id), toString(event_type)), event_type != 'exposure')
                ),
                1,
                {{ var('path_events') }}
            )
        ) as path
    from attributed
    group by experiment_id, unit_type, user_id

)

select
    exposures.experiment_id as experiment_id,
    exposures.variant_key as variant_key,
    exposures.unit_type as unit_type,
    exposures.user_id as user_id,
    exposures.exposure_date as exposure_date,
    exposures.first_exposed_at as first_exposed_at,
    units.events as events,
    units.exposures as exposures,
    units.conversions as conversions,
    units.value as value,
    units.sessions as sessions,
    if(units.conversions = 0, null, units.first_converted_at) as first_converted_at,
    if(units.user_id = '', null, units.last_event_at) as last_event_at,
    units.path as path
from exposures
left join units
    on
        exposures.experiment_id = units.experiment_id
        and exposures.unit_type = units.unit_type
        and exposures.user_id = units.user_id
