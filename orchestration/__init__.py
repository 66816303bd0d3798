"""Dagster: materializes the warehouse, checks it, runs the significance tests."""
