{{ config(
    materialized='daily_partitions',
    axis='exposure',
    of_events=true,
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, unit_type, user_id)'
) }}

-- depends_on: {{ ref('touched_days') }}
with exposures as (

    select
        *,
        first_exposed_at as counted_from,
        toUInt8(1) as step_before
    from {{ ref('first_exposures') }}
    where {{ only_days('exposure_date') }}

),

events as {{ events_of('exposures') }},

units as (

    {{ unit_activity_rows('events', 'exposures', ref('funnel_steps'), open_at(), sessions=true) }}

)

select
    exposures.experiment_id as experiment_id,
    exposures.variant_key as variant_key,
    exposures.unit_type as unit_type,
    exposures.user_id as user_id,
    exposures.version as version,
    exposures.exposure_date as exposure_date,
    exposures.first_exposed_at as first_exposed_at,
    units.events as events,
    units.exposures as exposures,
    units.conversions as conversions,
    units.value as value,
    units.sessions as sessions,
    units.app_version as app_version,
    if(units.conversions = 0, null, units.first_converted_at) as first_converted_at,
    if(units.user_id = '', null, units.last_event_at) as last_event_at,
    units.path as path,
    greatest(units.last_step, 1) as last_step,
    units.active_days as active_days,
    units.closed_events as closed_events,
    units.closed_exposures as closed_exposures,
    units.closed_conversions as closed_conversions,
    units.closed_value as closed_value,
    units.closed_app_version as closed_app_version,
    greatest(units.closed_step, 1) as closed_step,
    {{ open_at() }} as open_at
from exposures
left join units
    on
        exposures.experiment_id = units.experiment_id
        and exposures.unit_type = units.unit_type
        and exposures.user_id = units.user_id
