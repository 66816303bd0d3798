{{ config(
    materialized='daily_partitions',
    axis='exposure',
    of_events=true,
    partition_by='exposure_date',
    order_by='(experiment_id, metric_key, metric_version, unit_type, user_id)'
) }}

-- depends_on: {{ ref('touched_days') }}
{% set exposures -%}
    (
        select *
        from {{ ref('first_exposures') }}
        where {{ only_days('exposure_date') }}
    )
{%- endset -%}
{% set events -%}
    (
        select *
        from {{ ref('stg_events') }}
        where (unit_type, sent_as) in ({{ sent_ids(exposures) }})
    )
{%- endset -%}
{% set totals = component_totals_rows(events, exposures, ref('metric_components'), open_at()) %}

{{ unit_metric_values_rows(exposures, ref('stg_metrics'), totals, open_at()) }}
