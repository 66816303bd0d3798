{{ config(order_by='(experiment_id, variant_key, date)') }}

with events as (

    select
        experiment_id,
        variant_key,
        event_date,
        event_type,
        is_conversion,
        value
    from {{ ref('attributed_events') }}

),

exposures as (

    select
        experiment_id,
        variant_key,
        exposure_date
    from {{ ref('first_exposures') }}

),

parts as (

    select
        experiment_id,
        variant_key,
        event_date as date,
        countIf(event_type != 'exposure') as events,
        countIf(event_type = 'exposure') as exposures,
        countIf(is_conversion) as conversions,
        sum(events.value) as value,
        toUInt64(0) as first_exposures
    from events
    group by experiment_id, variant_key, event_date

    union all

    select
        experiment_id,
        variant_key,
        exposure_date as date,
        toUInt64(0) as events,
        toUInt64(0) as exposures,
        toUInt64(0) as conversions,
        toDecimal128(0, 6) as value,
        count() as first_exposures
    from exposures
    group by experiment_id, variant_key, exposure_date

)

select
    experiment_id,
    variant_key,
    date,
    sum(parts.events) as events,
    sum(parts.exposures) as exposures,
    sum(parts.conversions) as conversions,
    sum(parts.value) as value,
    sum(parts.first_exposures) as first_exposures
from parts
group by experiment_id, variant_key, date
