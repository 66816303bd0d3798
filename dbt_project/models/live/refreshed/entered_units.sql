{{ config(
    materialized='refreshed_table',
    order_by='(experiment_id, unit_type, user_id)'
) }}

{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

{{ entered_units_rows(open_at) }}
