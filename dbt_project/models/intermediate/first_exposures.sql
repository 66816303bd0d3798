{{ config(
    materialized='daily_partitions',
    axis='exposure',
    of_events=true,
    touched_too=true,
    partition_by='exposure_date',
    order_by='(experiment_id, unit_type, user_id)'
) }}

-- depends_on: {{ ref('touched_days') }}
{{ first_exposures_rows(
    ref('assigned_units'),
    '(select * from ' ~ ref('stg_events') ~ ' where not ' ~ in_dropped_month('event_date') ~ ')',
    ref('stg_experiments'),
    ref('stg_interruptions'),
    condition=only_days('exposure_date') ~ ' and ' ~ not_counted_before()
) }}
