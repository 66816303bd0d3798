{{ config(
    materialized='refreshed_table',
    refreshed_after=['changed_units'],
    order_by='(experiment_id, metric_key, metric_version, variant_key, version, entered_from)'
) }}

{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

{{ live_moments_rows(open_at) }}
