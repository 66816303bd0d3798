"""Holdouts: shares of the traffic that see no experiment."""
