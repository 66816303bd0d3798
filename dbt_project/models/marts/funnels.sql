{{ config(
    materialized='daily_partitions',
    axis='exposure',
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, step)'
) }}

-- depends_on: {{ ref('touched_days') }}
{{ funnels_rows(rows_of_days(ref('user_journeys'), 'exposure_date'), ref('funnel_steps')) }}
