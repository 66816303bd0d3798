{% macro revenue_attribution_rows(moments, metrics, variants) %}
{#-
    One row per experiment, metric version that sums values, and variant of the newest configuration, over the units
    that have a value.
    The interval is Welch's with the normal quantile; where lopsided arms have a skewed metric, with Student's variance
    if that is larger, as the results' (neonblue/statistics/methods/lopsided.py). Variances are taken in exact decimals before
    they become floats.
-#}
with totals as (

    select
        moments.experiment_id as experiment_id,
        moments.metric_key as metric_key,
        moments.metric_version as metric_version,
        moments.variant_key as variant_key,
        any(metrics.window_seconds) as window_seconds,
        sum(moments.n) as units,
        sum(moments.sum_value) as revenue,
        toFloat64(revenue) / units as revenue_per_unit,
        toFloat64(greatest(
            sum(moments.sum_squares) - toDecimal256(revenue, 6) * toDecimal256(revenue, 6) / units, 0
        )) / (units - 1) / units as variance_of_mean
    from {{ moments }} as moments
    inner join {{ metrics }} as metrics
        on
            moments.experiment_id = metrics.experiment_id
            and moments.metric_key = metrics.metric_key
            and moments.metric_version = metrics.metric_version
    where metrics.aggregation = 'sum' and metrics.metric_type = 'mean'
    group by experiment_id, metric_key, metric_version, variant_key
    having units > 0

),

compared as (

    select
        totals.experiment_id as experiment_id,
        totals.metric_key as metric_key,
        totals.metric_version as metric_version,
        totals.variant_key as variant_key,
        variants.is_control as is_control,
        totals.window_seconds as window_seconds,
        totals.units as units,
        totals.revenue as revenue,
        totals.revenue_per_unit as revenue_per_unit,
        totals.revenue_per_unit - control.revenue_per_unit as difference_per_unit,
        toFloat64(totals.units) + control.units as both_units,
        (
            toFloat64(totals.units) * (totals.units - 1) * totals.variance_of_mean
            + toFloat64(control.units) * (control.units - 1) * control.variance_of_mean
        ) / (both_units - 2) as pooled_variance,
        least(totals.units, control.units) < 0.4 * both_units
        and sqrt(pooled_variance) > 0.5 * abs(toFloat64(totals.revenue + control.revenue) / both_units) as is_skewed,
        totals.variance_of_mean + control.variance_of_mean as welch_variance,
        pooled_variance * (1 / totals.units + 1 / control.units) as student_variance,
        1.959963984540054 * sqrt(
            if(is_skewed, greatest(welch_variance, student_variance), welch_variance)
        ) as half_width,
        multiIf(
            variants.is_control, 'control',
            control.units = 0, 'no_control',
            totals.units < 2 or control.units < 2, 'too_few_units',
            welch_variance = 0, 'zero_variance',
            'ok'
        ) as status
    from totals
    inner join {{ variants }} as variants
        on totals.experiment_id = variants.experiment_id and totals.variant_key = variants.variant_key
    left join (
        select
            totals.*
        from totals
        inner join {{ variants }} as variants
            on totals.experiment_id = variants.experiment_id and totals.variant_key = variants.variant_key
        where variants.is_control
    ) as control
        on
            totals.experiment_id = control.experiment_id
            and totals.metric_key = control.metric_key
            and totals.metric_version = control.metric_version

)

select
    experiment_id,
    metric_key,
    metric_version,
    variant_key,
    is_control,
    window_seconds,
    units,
    revenue,
    revenue_per_unit,
    status,
    if(status = 'ok', difference_per_unit, null) as incremental_per_unit,
    if(status = 'ok', difference_per_unit * units, null) as incremental_revenue,
    if(status = 'ok', (difference_per_unit - half_width) * units, null) as incremental_low,
    if(status = 'ok', (difference_per_unit + half_width) * units, null) as incremental_high
from compared
{% endmacro %}
