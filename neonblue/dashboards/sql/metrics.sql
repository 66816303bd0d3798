select metric_key
from stg_metrics
where
    experiment_id in (select experiment_id from stg_experiments where experiment_key = ${experiment:sqlstring})
    and metric_type != 'quantile'
group by metric_key
order by max(role = 'primary') desc, metric_key asc
