{{ config(meta={'dagster': {'ref': {'name': 'unit_metric_values'}}}) }}
-- Rows: a metric value of a unit that was never exposed.
{% set differing -%}
select
    metrics.experiment_id as experiment_id,
    metrics.unit_type as unit_type,
    metrics.user_id as user_id
from {{ ref('unit_metric_values') }} as metrics
left anti join {{ ref('first_exposures') }} as exposures
    on
        metrics.experiment_id = exposures.experiment_id
        and metrics.unit_type = exposures.unit_type
        and metrics.user_id = exposures.user_id
        and metrics.variant_key = exposures.variant_key
{%- endset %}
{{ settled_units(differing) }}
