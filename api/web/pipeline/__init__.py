"""The page of the pipeline: the way of an event, and what did not arrive."""
