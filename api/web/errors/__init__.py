"""What a person sees of a request that was refused."""
