"""The page that lists experiments."""
