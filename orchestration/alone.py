"""Experiments one by one: what can't be computed of one stops no other, and is told with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import structlog
from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, AssetKey

log = structlog.get_logger("orchestration")

_NAME = "every_experiment_is_computed"
# Of the computation. That a store is away concerns all, and is raised.
_COMPUTING = (
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
    httpx.HTTPStatusError,  # the API refuses what is to be kept of this one
)


def check_spec(asset: AssetKey) -> AssetCheckSpec:
    """The check of an asset that takes its experiments one by one. It keeps nothing from being built.

    The asset's function says that it returns the bare `MaterializeResult`: with a check Dagster takes no other.
    """
    return AssetCheckSpec(
        name=_NAME,
        asset=asset,
        description="Every experiment could be computed; the others do not wait for it.",
    )


@dataclass(slots=True)
class Alone:
    """What went wrong, by the experiment's key."""

    failed: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def of(self, key: str) -> Iterator[None]:
        """Take this experiment by itself."""
        try:
            yield
        except _COMPUTING as error:
            log.exception("experiment_failed", experiment=key)
            self.failed[key] = f"{type(error).__name__}: {error}"

    def check(self, asset: AssetKey) -> AssetCheckResult:
        """The result of `check_spec`."""
        return AssetCheckResult(
            asset_key=asset,
            check_name=_NAME,
            passed=not self.failed,
            severity=AssetCheckSeverity.ERROR,
            description="; ".join(f"{key}: {error}" for key, error in self.failed.items()),
            metadata={"failed": dict(self.failed)},
        )
