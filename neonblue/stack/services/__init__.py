"""The services the stack knows, one module each."""
