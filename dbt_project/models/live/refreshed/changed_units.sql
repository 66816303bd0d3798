{{ config(
    materialized='refreshed_table',
    refreshed_after=['fresh_exposures', 'open_totals'],
    order_by='(experiment_id, metric_key, metric_version, unit_type, user_id)'
) }}

{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

select * from (
    {{ grown_units_rows(ref('open_totals')) }}
)

union all

select * from (
    {{ fresh_units_rows(ref('fresh_exposures'), open_at) }}
)
where (experiment_id, unit_type, user_id) not in (
    select
        grown.experiment_id,
        grown.unit_type,
        grown.user_id
    from {{ ref('open_totals') }} as grown
)
