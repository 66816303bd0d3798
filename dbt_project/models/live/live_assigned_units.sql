{{ built_and_open(
    ref('assigned_units'),
    ref('entered_units'),
    key=['experiment_id', 'unit_type', 'user_id']
) }}
