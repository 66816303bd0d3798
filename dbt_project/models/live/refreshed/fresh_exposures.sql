{{ config(
    materialized='refreshed_table',
    refreshed_after=['entered_units'],
    order_by='(experiment_id, unit_type, user_id)'
) }}

{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

{{ fresh_exposures_rows(ref('entered_units'), open_at) }}
