{{ segment_metrics_rows(
    ref('live_unit_metric_values'), ref('live_metric_caps'), ref('live_first_exposures')
) }}
