{% macro unit_metric_values_rows(exposures, metrics, totals, open_at) %}
{#-
    One row per experiment, metric version and analysed unit, also where the unit did nothing.
    totals: one row per such unit that did anything, before any cap: value, closed_value, denominator,
    closed_denominator, covariate, answers, closed_answers, just_before.
-#}
with exposures as (

    select
        experiment_id,
        unit_type,
        user_id,
        variant_key,
        version,
        first_exposed_at,
        exposure_date
    from {{ exposures }}

),

metrics as (

    select * from {{ metrics }}

),

totals as (

    {{ totals }}

)

select
    exposures.experiment_id as experiment_id,
    metrics.metric_key as metric_key,
    metrics.metric_version as metric_version,
    exposures.unit_type as unit_type,
    exposures.user_id as user_id,
    exposures.variant_key as variant_key,
    exposures.version as version,
    exposures.first_exposed_at as first_exposed_at,
    exposures.exposure_date as exposure_date,
    {{ capped(aggregated('totals.value', 'metrics.aggregation'), 'metrics.cap') }} as value_decimal,
    toFloat64(value_decimal) as value,
    {{ aggregated('totals.denominator', 'metrics.denominator_aggregation') }} as denominator,
    {{ capped(aggregated('totals.covariate', 'metrics.aggregation'), 'metrics.cap') }} as covariate,
    {{ missing('totals.answers', 'metrics.missing') }} as is_missing,
    totals.just_before as just_before,
    metrics.window_seconds as window_seconds,
    toDecimal128(totals.closed_value, 6) as closed_value,
    toDecimal128(totals.closed_denominator, 6) as closed_denominator,
    totals.closed_answers as closed_answers,
    {{ open_at }} as open_at
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
{% endmacro %}
