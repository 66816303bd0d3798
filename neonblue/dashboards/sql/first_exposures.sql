select
    $__timeInterval(first_exposed_at) as time,
    variant_key,
    count() as first_exposures
from live_first_exposures
where
    experiment_id in (select experiment_id from stg_experiments where experiment_key = ${experiment:sqlstring})
    and $__timeFilter(first_exposed_at)
group by time, variant_key
order by time, variant_key
