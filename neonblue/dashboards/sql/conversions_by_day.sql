select
    toDateTime(date, 'UTC') as time,
    variant_key,
    sum(conversions) as of_the_day
from live_daily_metrics
where
    experiment_id in (select experiment_id from stg_experiments where experiment_key = ${experiment:sqlstring})
    and $__dateFilter(date)
group by time, variant_key
order by time, variant_key
