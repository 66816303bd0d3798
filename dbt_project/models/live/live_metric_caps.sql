select
    {{ contract_columns() }}
from (
    {{ metric_caps_rows(ref('live_unit_metric_values'), ref('stg_metrics')) }}
)
