"""Ramps: an allocation that grows by itself, step by step."""
