"""The metric catalogue: what is measured, as data with versions."""
