{{ built_and_open(
    ref('first_exposures'),
    ref('fresh_exposures'),
    closed='first_exposed_at < ' ~ live_open_at(),
    still_open='first_exposed_at >= ' ~ live_open_at()
) }}
