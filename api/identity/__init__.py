"""Who a person is here: the stored id, the ids linked with it, its name in what never changes, where it is held."""
