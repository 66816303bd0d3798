{{ config(
    materialized='daily_partitions',
    axis='exposure',
    capped=true,
    partition_by='exposure_date',
    order_by='(experiment_id, attribute, segment, metric_key, metric_version, variant_key, version)'
) }}

-- depends_on: {{ ref('touched_days') }}
-- depends_on: {{ ref('metric_cap_changes') }}
{{ segment_metrics_rows(
    ref('unit_metric_values'),
    ref('metric_caps'),
    ref('first_exposures'),
    condition=only_days('exposure_date')
) }}
