{{ config(
    materialized='daily_partitions',
    axis='exposure',
    capped=true,
    partition_by='exposure_date',
    order_by='(experiment_id, metric_key, metric_version, variant_key, version, entered_from)'
) }}

-- depends_on: {{ ref('touched_days') }}
-- depends_on: {{ ref('first_exposures') }}
-- depends_on: {{ ref('metric_cap_changes') }}
{{ metric_moments_rows(ref('unit_metric_values'), ref('metric_caps'), condition=only_days('exposure_date')) }}
