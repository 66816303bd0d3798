"""How many units an experiment needs, and what it can then find."""
