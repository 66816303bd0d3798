"""One module for each kind of drawing: from typed data to a `Drawing`."""
