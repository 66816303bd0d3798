"""Who may do what: API tokens, sessions of people, rate limits."""
