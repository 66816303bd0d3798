{{ config(
    materialized='refreshed_table',
    refreshed_after=['fresh_exposures'],
    order_by='(experiment_id, variant_key, unit_type, user_id)'
) }}

{{ open_journeys_rows(live_open_at()) }}
