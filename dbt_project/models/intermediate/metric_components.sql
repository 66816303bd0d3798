{{ config(materialized='view') }}

with metrics as (

    select * from {{ ref('stg_metrics') }}

)

select
    experiment_id,
    metric_key,
    metric_version,
    'value' as component,
    event_type,
    property_filter,
    aggregation,
    window_start_seconds,
    window_seconds
from metrics

union all

select
    experiment_id,
    metric_key,
    metric_version,
    'denominator' as component,
    denominator_event_type as event_type,
    denominator_filter as property_filter,
    denominator_aggregation as aggregation,
    window_start_seconds,
    window_seconds
from metrics
where denominator_event_type != ''
