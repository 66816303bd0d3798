"""PostgreSQL's schema, version by version."""

from api.migrations.upgrade import upgrade

__all__ = ["upgrade"]
