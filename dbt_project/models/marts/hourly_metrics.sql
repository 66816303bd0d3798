{{ config(
    materialized='daily_partitions',
    axis='event',
    of_events=true,
    partition_by='date',
    order_by='(experiment_id, variant_key, hour)'
) }}

-- depends_on: {{ ref('touched_days') }}
{{ hourly_metrics_rows(ref('stg_events'), ref('first_exposures'), condition=only_days('date')) }}
