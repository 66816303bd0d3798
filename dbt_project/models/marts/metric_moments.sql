{{ config(order_by='(experiment_id, metric_key, metric_version, variant_key, version, exposure_date)') }}

with unit_values as (

    select
        experiment_id,
        variant_key,
        metric_key,
        metric_version,
        version,
        exposure_date,
        value_decimal,
        toDecimal256(value_decimal, 6) as value_wide
    from {{ ref('unit_metric_values') }}

)

select
    experiment_id,
    variant_key,
    metric_key,
    metric_version,
    version,
    exposure_date,
    count() as n,
    sum(value_decimal) as sum_value,
    sum(value_wide * value_wide) as sum_squares
from unit_values
group by experiment_id, variant_key, metric_key, metric_version, version, exposure_date
