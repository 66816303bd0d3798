"""Pages for people: where to go from here, and the API's documentation."""
