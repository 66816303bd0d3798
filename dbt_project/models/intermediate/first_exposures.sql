{{ config(
    materialized='daily_partitions',
    axis='exposure',
    touched_too=true,
    partition_by='exposure_date',
    order_by='(experiment_id, unit_type, user_id)'
) }}

-- depends_on: {{ ref('touched_days') }}
{{ first_exposures_rows(
    ref('assigned_units'),
    ref('stg_events'),
    ref('stg_experiments'),
    condition=only_days('exposure_date')
) }}
