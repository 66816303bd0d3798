"""The pages of layers and holdouts."""
