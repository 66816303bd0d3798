"""Who may do what: API tokens and their scopes, sessions of people, rate limits, web origins."""
