"""The pages of the metric catalogue."""
