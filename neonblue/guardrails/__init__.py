"""Guardrails that are watched as the events come in, by confidence sequences."""
