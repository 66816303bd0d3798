{{ cohort_retention_rows(ref('live_user_journeys')) }}
