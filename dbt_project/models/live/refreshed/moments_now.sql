{{ config(
    materialized='refreshed_table',
    refreshed_after=['changed_units'],
    order_by='(experiment_id, metric_key, metric_version, variant_key, version, entered_from)'
) }}

{{ live_moments_rows(live_open_at()) }}
