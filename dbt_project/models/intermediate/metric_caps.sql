{{ config(materialized='view') }}

select
    experiment_id,
    metric_key,
    metric_version,
    value_cap,
    covariate_cap
from {{ ref('metric_cap_changes') }}
order by changed_at desc
limit 1 by experiment_id, metric_key, metric_version
