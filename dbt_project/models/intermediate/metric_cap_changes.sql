{{ config(
    materialized='incremental',
    on_schema_change='append_new_columns',
    order_by='(experiment_id, metric_key, metric_version, changed_at)'
) }}

with caps as (

    {{ metric_caps_rows(ref('unit_metric_values'), ref('stg_metrics')) }}

)

select
    experiment_id,
    metric_key,
    metric_version,
    value_cap,
    covariate_cap,
    now64(3, 'UTC') as changed_at
from caps
where {{ caps_that_changed() }}
