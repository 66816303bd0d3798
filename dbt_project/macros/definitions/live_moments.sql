{% macro live_moments_rows(open_at) %}
{#-
    metric_moments as they are now: as built, less what the changed units had, plus what they have. Sums of decimals are
    exact, so a difference is as well. Taken from all units anew: metrics with a pooled cap, and days of which the units
    are built and the moments not yet.
-#}
{%- set capped_metrics -%}
    (
        select
            experiment_id,
            metric_key,
            metric_version
        from {{ ref('stg_metrics') }}
        where cap_percentile is not null
    )
{%- endset -%}
{%- set capped_values -%}
    (
        select * from {{ ref('live_unit_metric_values') }}
        where (experiment_id, metric_key, metric_version) in {{ capped_metrics }}
    )
{%- endset -%}
{%- set half_built -%}
    (
        select day
        from {{ builds_relation() }} final
        where model in ('unit_metric_values', 'metric_moments')
        group by day
        having uniqExact(scanned_at) > 1 or count() < 2
    )
{%- endset -%}
with changed as (

    select * from {{ ref('changed_units') }}

),

signed as (

    select
        *,
        toInt8(1) as sign
    from changed

    union all

    select
        *,
        toInt8(1) as sign
    from {{ ref('unit_metric_values') }}
    where exposure_date in {{ half_built }}

    union all

    select
        *,
        toInt8(-1) as sign
    from {{ ref('unit_metric_values') }}
    where
        first_exposed_at >= {{ open_at }}
        or (experiment_id, metric_key, metric_version, unit_type, user_id) in (
            select
                changed.experiment_id,
                changed.metric_key,
                changed.metric_version,
                changed.unit_type,
                changed.user_id
            from changed
        )

),

units as (

    select
        experiment_id,
        variant_key,
        metric_key,
        metric_version,
        version,
        exposure_date,
        {{ entered_from('signed') }} as entered_from,
        {{ finishes_at('signed') }} as finishes_at,
        sign,
        is_missing,
        just_before,
        value_decimal,
        denominator,
        if(is_missing, toDecimal128(0, 6), signed.covariate) as covariate,
        toDecimal256(value_decimal, 6) as value_wide,
        toDecimal256(denominator, 6) as denominator_wide,
        toDecimal256(covariate, 6) as covariate_wide
    from signed
    where (experiment_id, metric_key, metric_version) not in {{ capped_metrics }}

),

parts as (

    select
        {{ moment_grain() }},
        sumIf(units.sign, not units.is_missing) as n,
        sumIf(units.sign, units.is_missing) as missing,
        sum(units.value_decimal * units.sign) as sum_value,
        sum(units.value_wide * units.value_wide * units.sign) as sum_squares,
        sum(units.denominator * units.sign) as sum_denominator,
        sum(units.denominator_wide * units.denominator_wide * units.sign) as sum_denominator_squares,
        sum(units.value_wide * units.denominator_wide * units.sign) as sum_value_denominator,
        sum(units.covariate * units.sign) as sum_covariate,
        sum(units.covariate_wide * units.covariate_wide * units.sign) as sum_covariate_squares,
        sum(units.value_wide * units.covariate_wide * units.sign) as sum_value_covariate,
        sum(units.denominator_wide * units.covariate_wide * units.sign) as sum_denominator_covariate,
        sum(toInt64(units.just_before) * units.sign) as just_before
    from units
    group by {{ moment_grain() }}

    union all

    select
        {{ moment_grain() }},
        toInt64(moments.n) as n,
        toInt64(moments.missing) as missing,
        sum_value,
        sum_squares,
        sum_denominator,
        sum_denominator_squares,
        sum_value_denominator,
        sum_covariate,
        sum_covariate_squares,
        sum_value_covariate,
        sum_denominator_covariate,
        toInt64(moments.just_before) as just_before
    from {{ ref('metric_moments') }} as moments
    where
        (experiment_id, metric_key, metric_version) not in {{ capped_metrics }}
        and exposure_date not in {{ half_built }}

)

select
    {{ moment_grain() }},
    toUInt64(sum(parts.n)) as n,
    toUInt64(sum(parts.missing)) as missing,
    sum(parts.sum_value) as sum_value,
    sum(parts.sum_squares) as sum_squares,
    sum(parts.sum_denominator) as sum_denominator,
    sum(parts.sum_denominator_squares) as sum_denominator_squares,
    sum(parts.sum_value_denominator) as sum_value_denominator,
    sum(parts.sum_covariate) as sum_covariate,
    sum(parts.sum_covariate_squares) as sum_covariate_squares,
    sum(parts.sum_value_covariate) as sum_value_covariate,
    sum(parts.sum_denominator_covariate) as sum_denominator_covariate,
    toUInt64(sum(parts.just_before)) as just_before
from parts
group by {{ moment_grain() }}
having sum(parts.n) + sum(parts.missing) > 0

union all

select * from (
    {{ metric_moments_rows(
        capped_values, '(' ~ metric_caps_rows(capped_values, ref('stg_metrics')) ~ ')'
    ) }}
)
{% endmacro %}
