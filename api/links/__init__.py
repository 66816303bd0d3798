"""Anonymous ids and the persons they turned out to belong to."""
