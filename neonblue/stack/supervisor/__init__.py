"""What keeps services running: in their order, restarted, written down, told of."""
