select
    experiment_id,
    metric_key,
    metric_version,
    value_cap,
    covariate_cap
from (
    {{ metric_caps_rows(ref('live_unit_metric_values'), ref('stg_metrics')) }}
)
