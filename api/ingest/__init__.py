"""Durable writing: group commit, COPY, the outbox."""
