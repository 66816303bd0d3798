{{ daily_metrics_rows(ref('live_hourly_metrics')) }}
