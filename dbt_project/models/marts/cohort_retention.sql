{{ config(
    materialized='daily_partitions',
    axis='exposure',
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, day_since)'
) }}

-- depends_on: {{ ref('touched_days') }}
{{ cohort_retention_rows(rows_of_days(ref('user_journeys'), 'exposure_date')) }}
