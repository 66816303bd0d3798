"""Ramps: a share of traffic that grows in steps, each watched before the next. Pure."""
