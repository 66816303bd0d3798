{{ config(meta={'dagster': {'ref': {'name': 'metric_moments'}}}) }}
-- Rows: a metric of a variant whose moments do not hold all of its units' values, as the pooled caps leave them.
{% set differing -%}
with moments as (

    select
        experiment_id,
        variant_key,
        metric_key,
        metric_version,
        sum(days.n) as n,
        sum(days.missing) as missing,
        sum(days.sum_value) as sum_value,
        sum(days.sum_denominator) as sum_denominator,
        sum(days.just_before) as just_before
    from {{ ref('metric_moments') }} as days
    group by experiment_id, variant_key, metric_key, metric_version

),

unit_values as (

    select
        units.experiment_id as experiment_id,
        units.variant_key as variant_key,
        units.metric_key as metric_key,
        units.metric_version as metric_version,
        countIf(not units.is_missing) as n,
        countIf(units.is_missing) as missing,
        sum(if(caps.metric_key = '', units.value_decimal, least(units.value_decimal, caps.value_cap))) as sum_value,
        sum(units.denominator) as sum_denominator,
        sum(units.just_before) as just_before
    from {{ ref('unit_metric_values') }} as units
    left any join {{ ref('metric_caps') }} as caps
        on
            units.experiment_id = caps.experiment_id
            and units.metric_key = caps.metric_key
            and units.metric_version = caps.metric_version
    group by experiment_id, variant_key, metric_key, metric_version

)

select
    experiment_id,
    variant_key,
    metric_key,
    metric_version
from moments
full outer join unit_values
    using (experiment_id, variant_key, metric_key, metric_version)
where
    (moments.n, moments.missing, moments.sum_value, moments.sum_denominator, moments.just_before)
    != (
        unit_values.n,
        unit_values.missing,
        unit_values.sum_value,
        unit_values.sum_denominator,
        unit_values.just_before
    )
{%- endset %}
{{ settled_rows(differing) }}
