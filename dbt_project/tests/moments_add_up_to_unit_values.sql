-- Rows: a metric of a variant whose moments do not hold all of its units' values.
with moments as (

    select
        experiment_id,
        variant_key,
        metric_key,
        metric_version,
        sum(days.n) as n,
        sum(days.sum_value) as sum_value
    from {{ ref('metric_moments') }} as days
    group by experiment_id, variant_key, metric_key, metric_version

),

unit_values as (

    select
        experiment_id,
        variant_key,
        metric_key,
        metric_version,
        count() as n,
        sum(value_decimal) as sum_value
    from {{ ref('unit_metric_values') }}
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
where moments.n != unit_values.n or moments.sum_value != unit_values.sum_value
