{{ exposure_stages_rows(ref('live_assigned_units'), ref('live_exposed_units'), ref('live_user_journeys')) }}
