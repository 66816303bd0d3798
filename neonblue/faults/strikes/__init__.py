"""How each kind of fault is done to the running stack, and what tells that its own damage is gone."""
