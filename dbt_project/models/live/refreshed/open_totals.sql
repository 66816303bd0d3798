{{ config(
    materialized='refreshed_table',
    order_by='(experiment_id, metric_key, metric_version, unit_type, user_id)'
) }}

{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

{{ open_totals_rows(open_at) }}
