{{ exposure_health_rows(
    ref('stg_experiments'),
    ref('live_assigned_units'),
    ref('live_exposed_units'),
    ref('live_first_exposures')
) }}
