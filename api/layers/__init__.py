"""Layers: mutually exclusive experiments share one, each with slots of its own."""
