{{ config(order_by='(experiment_id, metric_key, metric_version, unit_type, user_id)') }}

with metrics as (

    select * from {{ ref('stg_metrics') }}

),

exposures as (

    select * from {{ ref('first_exposures') }}

),

events as (

    select
        experiment_id,
        unit_type,
        user_id,
        first_exposed_at,
        event_type,
        occurred_at,
        value,
        properties
    from {{ ref('attributed_events') }}

),

totals as (

    select
        metrics.experiment_id as experiment_id,
        metrics.metric_key as metric_key,
        metrics.metric_version as metric_version,
        events.unit_type as unit_type,
        events.user_id as user_id,
        count() as events,
        sum(events.value) as total
    from events
    inner join metrics
        on events.experiment_id = metrics.experiment_id and events.event_type = metrics.event_type
    where
        (
            metrics.window_seconds is null
            or dateDiff('microsecond', events.first_exposed_at, events.occurred_at)
            < toInt64(metrics.window_seconds) * 1000000
        )
        and arrayAll(
            (property, wanted)
            -> coalesce(JSONExtract(events.properties, property, 'Nullable(String)') = wanted, false),
            mapKeys(metrics.property_filter),
            mapValues(metrics.property_filter)
        )
    group by experiment_id, metric_key, metric_version, unit_type, user_id

),

uncapped as (

    select
        exposures.experiment_id as experiment_id,
        metrics.metric_key as metric_key,
        metrics.metric_version as metric_version,
        exposures.unit_type as unit_type,
        exposures.user_id as user_id,
        exposures.variant_key as variant_key,
        exposures.version as version,
        exposures.exposure_date as exposure_date,
        metrics.cap as cap,
        multiIf(
            metrics.aggregation = 'any', toDecimal128(totals.events > 0, 6),
            metrics.aggregation = 'count', toDecimal128(totals.events, 6),
            totals.total
        ) as value_decimal
    from exposures
    inner join metrics
        on exposures.experiment_id = metrics.experiment_id
    left join totals
        on
            exposures.experiment_id = totals.experiment_id
            and metrics.metric_key = totals.metric_key
            and metrics.metric_version = totals.metric_version
            and exposures.unit_type = totals.unit_type
            and exposures.user_id = totals.user_id

)

select
    experiment_id,
    metric_key,
    metric_version,
    unit_type,
    user_id,
    variant_key,
    version,
    exposure_date,
    toDecimal128(least(uncapped.value_decimal, coalesce(uncapped.cap, uncapped.value_decimal)), 6) as value_decimal,
    toFloat64(value_decimal) as value
from uncapped
