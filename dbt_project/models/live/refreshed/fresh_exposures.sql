{{ config(
    materialized='refreshed_table',
    order_by='(experiment_id, unit_type, user_id)'
) }}

{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

{{ fresh_exposures_rows(open_at) }}
