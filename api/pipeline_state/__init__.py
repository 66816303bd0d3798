"""How the whole pipeline stands: what the API knows of the way of an event, and what did not arrive."""
