{% macro component_totals_rows(events, exposures, components) %}
{#-
    One row per experiment, metric version, unit and UTC day with an event that counts: sums before any cap, and where
    the aggregation is `any` a count that is above 0.
-#}
with exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        first_exposed_at,
        exposure_date
    from {{ exposures }}

),

components as (

    select * from {{ components }}

),

attributed as (

    select
        exposures.experiment_id as experiment_id,
        exposures.exposure_date as exposure_date,
        events.unit_type as unit_type,
        events.user_id as user_id,
        events.event_type as event_type,
        events.event_date as event_date,
        events.value as value,
        events.properties as properties,
        dateDiff('microsecond', exposures.first_exposed_at, events.occurred_at) as waited
    from (
        select
            experiment_id,
            unit_type,
            user_id,
            event_type,
            event_date,
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
        and waited >= -1000000 * toInt64({{ var('covariate_seconds') }})

),

amounts as (

    select
        components.experiment_id as experiment_id,
        components.metric_key as metric_key,
        components.metric_version as metric_version,
        attributed.unit_type as unit_type,
        attributed.user_id as user_id,
        attributed.exposure_date as exposure_date,
        attributed.event_date as event_date,
        if(components.aggregation = 'sum', attributed.value, toDecimal64(1, 6)) as amount,
        components.component = 'denominator' as is_denominator,
        attributed.waited < 0 as is_covariate
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
    exposure_date,
    event_date,
    sumIf(amount, not is_covariate and not is_denominator) as value,
    sumIf(amount, not is_covariate and is_denominator) as denominator,
    sumIf(amount, is_covariate and not is_denominator) as covariate
from amounts
group by experiment_id, metric_key, metric_version, unit_type, user_id, exposure_date, event_date
{% endmacro %}


{% macro aggregated(amount, aggregation) %}
    {#- A unit's total of one metric: whether there is any, or the sum. -#}
    if({{ aggregation }} = 'any', toDecimal128({{ amount }} > 0, 6), toDecimal128({{ amount }}, 6))
{% endmacro %}


{% macro capped(amount, cap) %}
    toDecimal128(least({{ amount }}, coalesce({{ cap }}, {{ amount }})), 6)
{% endmacro %}
