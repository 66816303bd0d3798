"""Looks at experiments: what each one found, kept for good."""
