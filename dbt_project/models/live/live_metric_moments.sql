{{ metric_moments_rows(ref('live_unit_metric_values'), ref('live_metric_caps')) }}
