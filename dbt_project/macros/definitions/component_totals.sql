{% macro component_totals_rows(events, exposures, components, open_at, counted_from='toDateTime(0)') %}
{#-
    One row per experiment, metric version and unit with an event that counts: sums before any cap, and where the
    aggregation is `any` a count that is above 0. `answers`: how many events of the value there are, whatever they are
    worth. The closed parts happened before open_at. `just_before`: events of the value that would count, had they not
    been stamped a little before the exposure; where the window begins later, they would not.
-#}
with exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        first_exposed_at,
        {{ counted_from }} as counted_from
    from {{ exposures }}

),

components as (

    select * from {{ components }}

),

attributed as (

    select
        exposures.experiment_id as experiment_id,
        events.unit_type as unit_type,
        events.user_id as user_id,
        events.event_type as event_type,
        events.occurred_at < {{ open_at }} as is_closed,
        events.value as value,
        events.properties as properties,
        dateDiff('microsecond', exposures.first_exposed_at, events.occurred_at) as waited
    from (
        select
            experiment_id,
            unit_type,
            user_id,
            event_type,
            occurred_at,
            value,
            properties
        from {{ events }}
        where event_type in (select components.event_type from components)
    ) as events
    inner join exposures
        on events.unit_type = exposures.unit_type and events.user_id = exposures.user_id
    where
        events.experiment_id in (0, exposures.experiment_id)
        and events.occurred_at >= exposures.counted_from
        and waited >= -1000000 * toInt64({{ var('covariate_seconds') }})

),

amounts as (

    select
        components.experiment_id as experiment_id,
        components.metric_key as metric_key,
        components.metric_version as metric_version,
        attributed.unit_type as unit_type,
        attributed.user_id as user_id,
        attributed.is_closed as is_closed,
        if(components.aggregation = 'sum', attributed.value, toDecimal64(1, 6)) as amount,
        components.component = 'denominator' as is_denominator,
        attributed.waited < 0 as is_covariate,
        is_covariate
        and not is_denominator
        and components.window_start_seconds = 0
        and attributed.waited >= -1000000 * toInt64({{ var('just_before_seconds') }}) as is_just_before
    from attributed
    inner join components
        on attributed.experiment_id = components.experiment_id and attributed.event_type = components.event_type
    where
        (
            is_covariate
            or (
                attributed.waited >= toInt64(components.window_start_seconds) * 1000000
                and (
                    components.window_seconds is null
                    or attributed.waited < toInt64(components.window_seconds) * 1000000
                )
            )
        )
        and arrayAll(
            (property, wanted)
            -> coalesce(JSONExtract(attributed.properties, property, 'Nullable(String)') = wanted, false),
            mapKeys(components.property_filter),
            mapValues(components.property_filter)
        )

)

select
    experiment_id,
    metric_key,
    metric_version,
    unit_type,
    user_id,
    toDecimal128(sumIf(amount, not is_covariate and not is_denominator), 6) as value,
    toDecimal128(sumIf(amount, not is_covariate and not is_denominator and is_closed), 6) as closed_value,
    toDecimal128(sumIf(amount, not is_covariate and is_denominator), 6) as denominator,
    toDecimal128(sumIf(amount, not is_covariate and is_denominator and is_closed), 6) as closed_denominator,
    toDecimal128(sumIf(amount, is_covariate and not is_denominator), 6) as covariate,
    countIf(not is_covariate and not is_denominator) as answers,
    countIf(not is_covariate and not is_denominator and is_closed) as closed_answers,
    toUInt32(countIf(is_just_before)) as just_before
from amounts
group by experiment_id, metric_key, metric_version, unit_type, user_id
{% endmacro %}


{% macro aggregated(amount, aggregation) %}
    {#- A unit's total of one metric: whether there is any, or the sum. -#}
    if({{ aggregation }} = 'any', toDecimal128({{ amount }} > 0, 6), toDecimal128({{ amount }}, 6))
{% endmacro %}


{% macro missing(answers, metric_missing) %}
    {#- Whether a unit with so many events has no value: a value of 0 is one, so it goes by events. -#}
    toBool({{ metric_missing }} = 'exclude' and {{ answers }} = 0)
{% endmacro %}


{% macro capped(amount, cap) %}
    toDecimal128(least({{ amount }}, coalesce({{ cap }}, {{ amount }})), 6)
{% endmacro %}
