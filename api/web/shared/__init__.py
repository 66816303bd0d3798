"""What all pages share: their frame, their numbers and drawings."""
