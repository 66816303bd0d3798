"""The audit log: who changed, read, or was refused what. A change's entry is written in its transaction."""

from api.audit.record import Actor, Change, actor_of, record, record_access, recorded

__all__ = ["Actor", "Change", "actor_of", "record", "record_access", "recorded"]
