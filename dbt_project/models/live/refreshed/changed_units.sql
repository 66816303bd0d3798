{{ config(
    materialized='refreshed_table',
    refreshed_after=['fresh_exposures', 'open_totals'],
    order_by='(experiment_id, metric_key, metric_version, unit_type, user_id)'
) }}

select * from (
    {{ grown_units_rows(ref('open_totals')) }}
)

union all

select * from (
    {{ fresh_units_rows(ref('fresh_exposures'), live_open_at()) }}
)
where {{ not_among(ref('open_totals'), ['experiment_id', 'unit_type', 'user_id']) }}
