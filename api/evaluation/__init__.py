"""Evaluation for others: the configuration for those who evaluate for themselves, and OpenFeature's protocol."""
