{{ config(materialized='incremental', on_schema_change='append_new_columns', order_by='(experiment_id, metric_key, metric_version, changed_at)') }}

with caps as (

    {{ metric_caps_rows(ref('unit_metric_values'), ref('stg_metrics')) }}

)

{% if is_incremental() -%}
, known as (

    select * from {{ this }}
    order by changed_at desc
    limit 1 by experiment_id, metric_key, metric_version

)
{%- endif %}

select
    caps.experiment_id as experiment_id,
    caps.metric_key as metric_key,
    caps.metric_version as metric_version,
    caps.value_cap as value_cap,
    caps.covariate_cap as covariate_cap,
    now64(3, 'UTC') as changed_at
from caps
{%- if is_incremental() %}
left join known
    on
        caps.experiment_id = known.experiment_id
        and caps.metric_key = known.metric_key
        and caps.metric_version = known.metric_version
where
    known.metric_key = ''
    or (known.value_cap, known.covariate_cap) != (caps.value_cap, caps.covariate_cap)
{%- endif %}
