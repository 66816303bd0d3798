{% macro from_afar() %}
    {#- The condition on an event that its client's clock was too far away to correct by. -#}
    (clock_offset = 0 and abs(dateDiff('second', sent_at, received_at)) > {{ var('farthest_clock_seconds') }})
{% endmacro %}


{% macro by_a_wrong_clock() %}
    {#- The condition on an event that its time may be wrong: it was corrected, or its client's clock was too far away. -#}
    (clock_offset != 0 or {{ from_afar() }})
{% endmacro %}


{% macro hourly_metrics_rows(events, exposures, condition='1') %}
{#-
    One row per experiment, variant and UTC hour. condition: on date, the UTC day, or on hour.
    An event by a wrong clock may have a time before the first exposure and come after it: it is an early event, and
    else counted with those of such clocks alone.
-#}
with exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        variant_key,
        first_exposed_at
    from {{ exposures }}

),

events as (

    select
        experiment_id,
        unit_type,
        user_id,
        event_type,
        occurred_at,
        event_date as date,
        toStartOfHour(occurred_at, 'UTC') as hour,
        is_conversion,
        value,
        received_at,
        clock_offset != 0 as is_corrected,
        {{ from_afar() }} as is_from_afar,
        {{ by_a_wrong_clock() }} as is_by_a_wrong_clock
    from {{ events }}
    where {{ condition }}

),

met as (

    select
        exposures.experiment_id as experiment_id,
        exposures.variant_key as variant_key,
        events.hour as hour,
        events.event_type as event_type,
        events.is_conversion as is_conversion,
        events.value as value,
        events.is_corrected as is_corrected,
        events.is_from_afar as is_from_afar,
        events.occurred_at >= exposures.first_exposed_at as is_after
    from events
    inner join exposures
        on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
    where
        events.experiment_id in (0, exposures.experiment_id)
        and (
            events.occurred_at >= exposures.first_exposed_at
            or (events.is_by_a_wrong_clock and events.received_at >= exposures.first_exposed_at)
        )

),

parts as (

    select
        experiment_id,
        variant_key,
        hour,
        countIf(met.is_after and met.event_type != 'exposure') as events,
        countIf(met.is_after and met.event_type = 'exposure') as exposures,
        countIf(met.is_after and met.is_conversion) as conversions,
        sumIf(met.value, met.is_after) as value,
        countIf(met.is_corrected) as corrected_events,
        countIf(met.is_from_afar) as events_from_afar,
        countIf(not met.is_after) as early_events,
        toUInt64(0) as first_exposures
    from met
    group by experiment_id, variant_key, hour

    union all

    select
        experiment_id,
        variant_key,
        hour,
        toUInt64(0) as events,
        toUInt64(0) as exposures,
        toUInt64(0) as conversions,
        toDecimal128(0, 6) as value,
        toUInt64(0) as corrected_events,
        toUInt64(0) as events_from_afar,
        toUInt64(0) as early_events,
        count() as first_exposures
    from (
        select
            *,
            toDate(first_exposed_at, 'UTC') as date,
            toStartOfHour(first_exposed_at, 'UTC') as hour
        from exposures
    ) as exposed
    where {{ condition }}
    group by experiment_id, variant_key, hour

)

select
    experiment_id,
    variant_key,
    toDate(hour, 'UTC') as date,
    toDateTime(hour, 'UTC') as hour,
    sum(parts.events) as events,
    sum(parts.exposures) as exposures,
    sum(parts.conversions) as conversions,
    sum(parts.value) as value,
    sum(parts.corrected_events) as corrected_events,
    sum(parts.events_from_afar) as events_from_afar,
    sum(parts.early_events) as early_events,
    sum(parts.first_exposures) as first_exposures
from parts
group by experiment_id, variant_key, hour
{% endmacro %}


{% macro daily_metrics_rows(hours, condition='1') %}
{#- One row per experiment, variant and UTC day: its hours together. -#}
select
    experiment_id,
    variant_key,
    date,
    sum(hours.events) as events,
    sum(hours.exposures) as exposures,
    sum(hours.conversions) as conversions,
    sum(hours.value) as value,
    sum(hours.corrected_events) as corrected_events,
    sum(hours.events_from_afar) as events_from_afar,
    sum(hours.early_events) as early_events,
    sum(hours.first_exposures) as first_exposures
from {{ hours }} as hours
where {{ condition }}
group by experiment_id, variant_key, date
{% endmacro %}
