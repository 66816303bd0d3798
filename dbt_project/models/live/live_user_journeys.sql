{{ built_and_open(
    ref('user_journeys'),
    ref('open_journeys'),
    closed='first_exposed_at < ' ~ live_open_at(),
    key=['experiment_id', 'unit_type', 'user_id']
) }}
