"""NeonBlue from official images under Docker Compose: the folder that it is deployed from, and what runs in containers.

``compose/`` has the files that are the same everywhere. What depends on secrets, sizes and settings is made here, by
the code that configures the embedded stack, so that both are one.
"""
