"""What PostgreSQL accepted against what ClickHouse holds, exactly, by comparing checksums and then ids."""

from neonblue.reconciliation.compare import Counts, Reconciliation
from neonblue.reconciliation.service import reconcile

__all__ = ["Counts", "Reconciliation", "reconcile"]
