"""What to look at before an experiment starts, and whether all is well while it runs."""
