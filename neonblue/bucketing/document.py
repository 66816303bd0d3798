"""Running experiments as they travel to those who evaluate for themselves: the body of `GET /v1/configuration`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from neonblue.bucketing.allocation import FULL_ALLOCATION
from neonblue.bucketing.configuration import Configuration, Holdout, LayerSlot
from neonblue.bucketing.evaluation import Reason
from neonblue.bucketing.hashing import Purpose, bucket
from neonblue.bucketing.release import Population, Release
from neonblue.bucketing.serving import Serving
from neonblue.bucketing.targeting import compile_expression

SCHEMA_VERSION = 1


class VariantEntry(Struct, frozen=True, kw_only=True):
    """One arm. A dropped one is not `active`. `payload`: what the application reads once it knows the variant."""

    key: str
    weight: int
    active: bool = True
    payload: Any = None


class LayerEntry(Struct, frozen=True, kw_only=True):
    """The experiment's part of a layer: basis points [start, end)."""

    salt: str
    start: int
    end: int


class HoldoutEntry(Struct, frozen=True, kw_only=True):
    """A share of traffic, in basis points, that the experiment leaves out."""

    salt: str
    share: int


class ExperimentEntry(Struct, frozen=True, kw_only=True):
    """One version of an experiment. `forced`: variants of testers by the tester's bucket, in digits.

    `outside`: the variant of units that are left out; null: they get none. `closed`: no new unit enters, and who is not
    stored gets this variant; who evaluates here does not know who is stored, and asks the API. Null: enrolment is open.
    """

    experiment_id: int
    key: str
    unit_type: str
    version: int
    salt: str
    allocation: int
    variants: list[VariantEntry]
    layer: LayerEntry | None = None
    holdouts: list[HoldoutEntry] = []
    targeting: str | None = None
    forced: dict[str, str] = {}
    outside: str | None = None
    closed: str | None = None

    def configuration(self) -> Configuration:
        """What evaluation takes. Raises ValueError where a rule of it is broken."""
        layer = self.layer
        return Configuration(
            self.salt,
            self.allocation,
            tuple((variant.key, variant.weight) for variant in self.variants),
            layer=None if layer is None else LayerSlot(layer.salt, layer.start, layer.end),
            holdouts=tuple(Holdout(holdout.salt, holdout.share) for holdout in self.holdouts),
            targeting=None if self.targeting is None else compile_expression(self.targeting),
            dropped=frozenset(variant.key for variant in self.variants if not variant.active),
            forced={int(digits): variant for digits, variant in self.forced.items()},
            outside=self.outside,
            closed=self.closed,
        )


class WeightEntry(Struct, frozen=True, kw_only=True):
    """An arm's part of the traffic at the conclusion."""

    key: str
    weight: int


class ReleaseEntry(Struct, frozen=True, kw_only=True):
    """What is released: the variant, to `share` basis points of the population, `targeted` or `everyone`.

    `allocation`, `weights`: at the conclusion, with which the hash says who had the variant, and comes first.
    """

    variant_key: str
    share: int
    population: str
    allocation: int
    weights: list[WeightEntry]

    def release(self) -> Release:
        """Raises ValueError for a population or a variant that is not known here."""
        if self.variant_key not in {arm.key for arm in self.weights}:
            raise ValueError(f"release: there is no variant {self.variant_key}")
        return Release(self.variant_key, self.share, Population(self.population))

    @classmethod
    def of(cls, release: Release, entry: ExperimentEntry) -> ReleaseEntry:
        return cls(
            variant_key=release.variant_key,
            share=release.share,
            population=release.population,
            allocation=entry.allocation,
            weights=[WeightEntry(key=arm.key, weight=arm.weight) for arm in entry.variants],
        )


class ServedEntry(Struct, frozen=True, kw_only=True):
    """An experiment that was started and does not run: what its key gives (`serving.serve`).

    `payloads`: of the variants that somebody gets. `forced`: as in `ExperimentEntry`.
    """

    key: str
    unit_type: str
    version: int
    salt: str
    reason: str
    control: str
    release: ReleaseEntry | None = None
    payloads: dict[str, Any] = {}
    holdouts: list[HoldoutEntry] = []
    targeting: str | None = None
    forced: dict[str, str] = {}

    def serving(self) -> Serving:
        """Raises ValueError for a reason, or a release, that is not known here."""
        release = None if self.release is None else self.release.release()
        return Serving(Reason(self.reason), self.control, release)

    def configuration(self) -> Configuration:
        """What `serve` reads. Raises ValueError where a rule of it is broken."""
        allocation, weights = FULL_ALLOCATION, [WeightEntry(key=self.control, weight=1)]
        if self.release is not None:
            allocation, weights = self.release.allocation, self.release.weights
        return Configuration(
            self.salt,
            allocation,
            tuple((arm.key, arm.weight) for arm in weights),
            holdouts=tuple(Holdout(holdout.salt, holdout.share) for holdout in self.holdouts),
            targeting=None if self.targeting is None else compile_expression(self.targeting),
            forced={int(digits): variant for digits, variant in self.forced.items()},
        )

    @classmethod
    def of(cls, entry: ExperimentEntry, serving: Serving) -> ServedEntry | None:
        """None where nothing is served. A release alone asks whom targeting means and a holdout has."""
        if serving.control is None:
            return None
        release = serving.release
        got = {serving.control, *entry.forced.values()} | ({release.variant_key} if release else set())
        return cls(
            key=entry.key,
            unit_type=entry.unit_type,
            version=entry.version,
            salt=entry.salt,
            reason=str(serving.reason),
            control=serving.control,
            release=None if release is None else ReleaseEntry.of(release, entry),
            payloads={
                variant.key: variant.payload
                for variant in entry.variants
                if variant.key in got and variant.payload is not None
            },
            holdouts=[] if release is None else entry.holdouts,
            targeting=entry.targeting if release and release.population == Population.TARGETED else None,
            forced=entry.forced,
        )


class ConfigurationDocument(Struct, frozen=True, kw_only=True):
    """All running experiments, and what other keys give: those of drafts are not named.

    `revision` names this content: equal revisions, equal documents.
    """

    schema_version: int = SCHEMA_VERSION
    revision: str
    experiments: list[ExperimentEntry]
    served: list[ServedEntry] = []


def forced_digits(salt: str, unit_id: str) -> str:
    """How a tester is named in `ExperimentEntry.forced`."""
    return str(bucket(salt, Purpose.FORCED, unit_id))
