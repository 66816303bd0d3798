"""Seeded fault runs against a whole stack of its own, and an oracle: what was lost, doubled, stuck, untold."""
