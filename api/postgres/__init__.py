"""PostgreSQL as this API uses it: connections, group commit, COPY, partitions, the outbox's release."""
