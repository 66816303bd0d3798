"""What a kind of metric declares: the moments it is computed from, and what is done with those of two arms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from neonblue.statistics.methods.comparison import Comparison
from neonblue.statistics.methods.effect import Effect
from neonblue.statistics.methods.noninferiority import Margin, NonInferiority
from neonblue.statistics.result import Alternative
from neonblue.statistics.status import Status

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Generic[M]):
    """One class of moments that a kind is computed from, and what it does with those of control and treatment.

    columns: the sums that the moments are made of beside `n`, by their names in a table of sums and in the order of the
    fields; none where such a table does not give them. covariate: whether they hold a value from before the exposure.
    test: the comparison, at a given alpha and alternative; its last argument says whether limits are asked for.
    effect: the difference with its variances. merge: the moments of both sets of units together; None: they do not add
    up. guard: the test against a margin where it is not the effect's; it gives None where it is.
    """

    moments: type[M]
    columns: tuple[str, ...] = ()
    covariate: bool = False
    test: Callable[[M, M, float, Alternative, bool], Comparison]
    effect: Callable[[M, M], Effect | Status]
    merge: Callable[[M, M], M] | None = None
    guard: Callable[[M, M, Margin, float], NonInferiority | Status | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of metric.

    forms: the moments it takes, the plain ones first; both arms have the same. is_share: whether a unit's value is 0 or
    1, so that units are counted and the value is written in per cent. can_be_capped: whether a unit's value may be.
    """

    forms: tuple[Form[Any], ...]
    is_share: bool = False
    can_be_capped: bool = False

    @property
    def adds_up(self) -> bool:
        """Whether the moments of two sets of units give those of both together."""
        return all(form.merge is not None for form in self.forms)

    @property
    def takes_covariate(self) -> bool:
        """Whether a value from before the exposure may adjust it."""
        return any(form.covariate for form in self.forms)

    def form(self, control: object, treatment: object) -> Form[Any] | None:
        """The form of both arms' moments; None where the kind has none that fits."""
        fits = (f for f in self.forms if isinstance(control, f.moments) and isinstance(treatment, f.moments))
        return next(fits, None)
