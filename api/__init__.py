"""The HTTP API: ingest of events, assignment, experiments, results."""
