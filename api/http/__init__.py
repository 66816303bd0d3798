"""What every request goes through: bodies, problems, tokens, request ids."""
