"""The audit log: who changed what, written in the transaction of the change."""

from api.audit.pseudonym import pseudonym
from api.audit.record import Actor, Change, record

__all__ = ["Actor", "Change", "pseudonym", "record"]
