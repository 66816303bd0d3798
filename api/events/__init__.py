"""`/v1/events`: durable ingest."""
