with newest as (

    select
        experiment_id,
        metric_key,
        metric_version,
        metric_type
    from stg_metrics
    where
        experiment_id in (select experiment_id from stg_experiments where experiment_key = ${experiment:sqlstring})
        and metric_key = ${metric:sqlstring}
    order by metric_version desc
    limit 1

)

select
    toDateTime(moments.exposure_date, 'UTC') as time,
    moments.variant_key as variant_key,
    toFloat64(sum(moments.sum_value))
    / if(
        any(newest.metric_type) = 'ratio',
        toFloat64(sum(moments.sum_denominator)),
        toFloat64(sum(moments.n))
    ) as mean
from live_metric_moments as moments
inner join newest
    on
        moments.experiment_id = newest.experiment_id
        and moments.metric_key = newest.metric_key
        and moments.metric_version = newest.metric_version
where ifNull(moments.finishes_at <= now(), true) and $__dateFilter(moments.exposure_date)
group by time, variant_key
having isFinite(mean)
order by time, variant_key
