{{ config(
    materialized='refreshed_table',
    order_by='(experiment_id, unit_type, user_id)'
) }}

{{ entered_units_rows(live_open_at()) }}
