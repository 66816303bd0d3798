{{ config(
    materialized='daily_partitions',
    axis='exposure',
    partition_by='exposure_date',
    order_by='(experiment_id, variant_key, step)'
) }}

-- depends_on: {{ ref('touched_days') }}
{% set journeys = '(select * from ' ~ ref('user_journeys') ~ ' where ' ~ only_days('exposure_date') ~ ')' -%}

{{ funnels_rows(journeys, ref('funnel_steps')) }}
