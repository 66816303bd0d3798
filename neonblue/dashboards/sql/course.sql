select
    computed_at as time,
    variant_key,
    relative_lift as lift,
    relative_ci_low as lowest,
    relative_ci_high as highest
from experiment_results
where
    experiment_key = ${experiment:sqlstring}
    and metric_key = ${metric:sqlstring}
    and $__timeFilter(computed_at)
order by time, variant_key
