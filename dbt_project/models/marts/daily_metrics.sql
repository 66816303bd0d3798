{{ config(
    materialized='daily_partitions',
    axis='event',
    partition_by='date',
    order_by='(experiment_id, variant_key)'
) }}

-- depends_on: {{ ref('touched_days') }}
{{ daily_metrics_rows(ref('hourly_metrics'), condition=only_days('date')) }}
