{{ config(
    materialized='daily_partitions',
    axis='exposure',
    of_events=true,
    partition_by='exposure_date',
    order_by='(experiment_id, metric_key, metric_version, unit_type, user_id)'
) }}

-- depends_on: {{ ref('touched_days') }}
{% set exposures = rows_of_days(ref('first_exposures'), 'exposure_date') -%}
{% set totals = component_totals_rows(events_of(exposures), exposures, ref('metric_components'), open_at()) %}

{{ unit_metric_values_rows(exposures, ref('stg_metrics'), totals, open_at()) }}
