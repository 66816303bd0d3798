{{ config(
    materialized='refreshed_table',
    order_by='(experiment_id, metric_key, metric_version, unit_type, user_id)'
) }}

{{ open_totals_rows(live_open_at()) }}
