{{ config(
    materialized='daily_partitions',
    axis='exposure',
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, day_since)'
) }}

-- depends_on: {{ ref('touched_days') }}
{% set journeys = '(select * from ' ~ ref('user_journeys') ~ ' where ' ~ only_days('exposure_date') ~ ')' -%}

{{ cohort_retention_rows(journeys) }}
