"""Experiments and their life cycle."""
