"""People and other units: their attributes, and everything that is held on them."""
