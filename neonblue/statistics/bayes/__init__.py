"""Posteriors, and what to choose by them."""
