"""The container images, built without an engine and run as ``compose.yaml`` runs them: ``python -m tests.image``."""
