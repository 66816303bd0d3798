"""Erasure of a person from every store, with a receipt."""
