{{ config(order_by='(experiment_id, metric_key, metric_version, variant_key)') }}

{{ revenue_attribution_rows(ref('metric_moments'), ref('stg_metrics'), ref('stg_variants')) }}
