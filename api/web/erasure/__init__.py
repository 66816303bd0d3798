"""The page of an erasure's receipt."""
