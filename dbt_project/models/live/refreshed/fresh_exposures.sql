{{ config(
    materialized='refreshed_table',
    refreshed_after=['entered_units'],
    order_by='(experiment_id, unit_type, user_id)'
) }}

{{ fresh_exposures_rows(ref('entered_units'), live_open_at()) }}
