{{ built_and_open(
    ref('unit_metric_values'),
    ref('changed_units'),
    closed='first_exposed_at < ' ~ live_open_at(),
    key=['experiment_id', 'metric_key', 'metric_version', 'unit_type', 'user_id']
) }}
