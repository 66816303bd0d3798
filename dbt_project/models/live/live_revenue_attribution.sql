{{ revenue_attribution_rows(ref('live_metric_moments'), ref('stg_metrics'), ref('stg_variants')) }}
