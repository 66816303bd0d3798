"""What is still asked for: how often each key was, by hour, variant and reason."""
