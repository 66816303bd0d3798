{{ config(
    materialized='refreshed_table',
    refreshed_after=['fresh_exposures'],
    order_by='(experiment_id, variant_key, unit_type, user_id)'
) }}

{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

{{ open_journeys_rows(open_at) }}
