"""The wire format: events, assignments, experiment snapshots, outbox rows, limits and error codes."""
