{{ funnels_rows(ref('live_user_journeys'), ref('funnel_steps')) }}
