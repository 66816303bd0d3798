"""A whole experiment: its health, its metrics, and what to do."""
