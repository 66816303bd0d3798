{{ experiment_summary_rows(
    ref('stg_experiments'),
    ref('stg_variants'),
    ref('live_first_exposures'),
    ref('live_daily_metrics'),
    ref('live_converted_units')
) }}
