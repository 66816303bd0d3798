"""The page to log in with a token, and out."""
