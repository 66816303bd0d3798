"""Planning: how many units a test needs, what it can detect, how often it will, and how long that takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import scipy  # its `stats`, which takes long to import, when it is first used
from scipy import optimize, special

from neonblue.statistics.status import Status, StatusCode

_NORMAL_FROM = 1e7  # units of both arms, from which Student's t and the normal agree to seven digits


@dataclass(frozen=True, slots=True)
class Design:
    """What a planned test promises.

    alpha: its error rate; power: the wished probability to detect; sided: 1 or 2; ratio: treatment units per
    control unit, > 0; comparisons: treatment arms or metrics that share alpha equally (Bonferroni);
    inflation: factor >= 1 on the fixed sample size, for group-sequential or always-valid tests.
    """

    alpha: float = 0.05
    power: float = 0.8
    sided: int = 2
    ratio: float = 1.0
    comparisons: int = 1
    inflation: float = 1.0

    @property
    def tail(self) -> float:
        """Error rate in one tail of one comparison."""
        return self.alpha / self.sided / self.comparisons

    @property
    def z_alpha(self) -> float:
        """The critical value of the normal test."""
        return -float(special.ndtri(self.tail))

    @property
    def z_power(self) -> float:
        """The normal quantile of the power."""
        return float(special.ndtri(self.power))

    def problem(self) -> Status | None:
        """IMPOSSIBLE_REQUEST with the reason when no sample size can keep the promise, else None."""
        for name, value in (("alpha", self.alpha), ("power", self.power)):
            if not 0 < value < 1:
                return impossible(f"{name} must lie inside (0, 1), got {value:g}.")
        if self.sided not in (1, 2):
            return impossible(f"A test has 1 or 2 sides, got {self.sided}.")
        if not 0 < self.ratio < math.inf:
            return impossible(f"Units per control unit must be positive, got {self.ratio:g}.")
        if self.comparisons < 1 or not 1 <= self.inflation < math.inf:
            return impossible("Comparisons and inflation must be at least 1.")
        if self.power <= self.alpha:
            return impossible(f"A power of {self.power:g} does not exceed alpha = {self.alpha:g}.")
        return None


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Units needed per arm: `control` and `treatment` as solved, the others rounded up to whole units."""

    control: float
    treatment: float

    @property
    def control_units(self) -> int:
        """Whole units of the control arm."""
        return math.ceil(self.control)

    @property
    def treatment_units(self) -> int:
        """Whole units of one treatment arm."""
        return math.ceil(self.treatment)

    @property
    def total(self) -> int:
        """Whole units of both arms."""
        return self.control_units + self.treatment_units


def mean_sample_size(
    sd: float, difference: float, design: Design, treatment_sd: float | None = None
) -> SampleSize | Status:
    """Units to detect a difference of means: n_c = (z_alpha + z_power)^2 (sd_c^2 + sd_t^2 / ratio) / d^2.

    sd, treatment_sd (default: the same) > 0 and the difference, not 0, in the metric's unit. For a ratio
    metric sd is that of the linearised values, for CUPED that of the residuals (see `cuped_sd`). Returns
    IMPOSSIBLE_REQUEST for anything else. Source: Chow, Shao and Wang (2008), chapter 3.
    """
    other = sd if treatment_sd is None else treatment_sd
    problem = design.problem() or _effect(sd, other, difference)
    if problem:
        return problem
    variance = sd**2 + other**2 / design.ratio
    return sized(((design.z_alpha + design.z_power) / difference) ** 2 * variance, design)


def student_sample_size(sd: float, difference: float, design: Design) -> SampleSize | Status:
    """As `mean_sample_size` with one sd for both arms and the noncentral t distribution, for small samples.

    Units per arm, at least 2; statuses as `mean_sample_size`. Source: Chow, Shao and Wang (2008), chapter 3.
    """
    start = mean_sample_size(sd, difference, design)
    if isinstance(start, Status):
        return start
    size = start.control / design.inflation
    if size * (1 + design.ratio) >= _NORMAL_FROM:
        return start
    lowest = max(2.0, 2.0 / design.ratio)  # a variance needs two units in each arm

    def shortfall(n: float) -> float:
        return _student_power(abs(difference) / sd, n, n * design.ratio, design) - design.power

    if shortfall(lowest) >= 0:
        return sized(lowest, design)
    return sized(root(shortfall, lowest, 2 * size + lowest + 100), design)


def mean_power(
    sd: float,
    difference: float,
    units: tuple[float, float],
    design: Design,
    treatment_sd: float | None = None,
) -> float | Status:
    """Probability, in (0, 1], that the normal test of `mean_sample_size` detects in the true direction.

    Phi(|difference| / se - z_alpha), se^2 = inflation (sd_c^2 / n_c + sd_t^2 / n_t). units: of control and
    treatment, > 0; design.power and design.ratio are not looked at. Statuses as `mean_sample_size`.
    """
    other = sd if treatment_sd is None else treatment_sd
    problem = unpowered(design).problem() or _effect(sd, other, difference) or no_units(units)
    if problem:
        return problem
    se = math.sqrt((sd**2 / units[0] + other**2 / units[1]) * design.inflation)
    return float(special.ndtr(abs(difference) / se - design.z_alpha))


def mean_mde(
    sd: float, units: tuple[float, float], design: Design, treatment_sd: float | None = None
) -> float | Status:
    """Smallest difference of means, > 0 in the metric's unit, detected with design.power.

    (z_alpha + z_power) se, se as in `mean_power`. units: of control and treatment, > 0. Statuses as `mean_sample_size`.
    """
    other = sd if treatment_sd is None else treatment_sd
    problem = design.problem() or _effect(sd, other, 1.0) or no_units(units)
    if problem:
        return problem
    variance = sd**2 / units[0] + other**2 / units[1]
    return (design.z_alpha + design.z_power) * math.sqrt(variance * design.inflation)


def student_power(sd: float, difference: float, units: tuple[float, float], design: Design) -> float | Status:
    """As `mean_power`, of Student's t test with one sd for both arms: by the noncentral t, for small samples too.

    On two sides it counts a detection in the wrong direction, as `student_sample_size` does. units: of control and
    treatment, more than two together after inflation. Statuses as `mean_sample_size`.
    """
    problem = unpowered(design).problem() or _effect(sd, sd, difference) or _too_few(units, design)
    if problem:
        return problem
    if sum(units) / design.inflation >= _NORMAL_FROM:
        return mean_power(sd, difference, units, design)
    control, treatment = (n / design.inflation for n in units)
    return _student_power(abs(difference) / sd, control, treatment, design)


def student_mde(sd: float, units: tuple[float, float], design: Design) -> float | Status:
    """As `mean_mde`, of Student's t test: the difference at which `student_power` is design.power."""
    problem = design.problem() or _effect(sd, sd, 1.0) or _too_few(units, design)
    if problem:
        return problem
    if sum(units) / design.inflation >= _NORMAL_FROM:
        return mean_mde(sd, units, design)
    control, treatment = (n / design.inflation for n in units)

    def excess(effect: float) -> float:
        return _student_power(effect, control, treatment, design) - design.power

    highest = 1.0
    while excess(highest) < 0:
        highest *= 2
    return sd * root(excess, 0.0, highest)


def duration_days(units: float, units_per_day: float, exposed: float = 1.0) -> float | Status:
    """Days until `units` over all arms have come, `units_per_day` > 0 being new, the share `exposed` taking part.

    Returns IMPOSSIBLE_REQUEST without traffic, or for a share outside (0, 1].
    """
    if not (0 < units_per_day < math.inf and 0 < exposed <= 1):
        return impossible("Without new units taking part each day the sample is never reached.")
    return units / (units_per_day * exposed)


def cuped_sd(sd: float, correlation: float) -> float:
    """Standard deviation left after CUPED with a covariate of this correlation: sd sqrt(1 - correlation^2).

    Raises ValueError for a correlation outside (-1, 1). Source: Deng et al. (2013).
    """
    if not -1 < correlation < 1:
        raise ValueError(f"correlation: must lie inside (-1, 1), got {correlation}")
    return sd * math.sqrt(1 - correlation**2)


def _student_power(effect: float, control: float, treatment: float, design: Design) -> float:
    df = control + treatment - 2
    shift = effect * math.sqrt(control * treatment / (control + treatment))
    critical = -float(special.stdtrit(df, design.tail))
    power = float(scipy.stats.nct.sf(critical, df, shift))
    return power if design.sided == 1 else power + float(scipy.stats.nct.sf(critical, df, -shift))


def root(function: Callable[[float], float], lower: float, upper: float) -> float:
    """Where a function of opposite signs at the ends is 0."""
    return float(optimize.brentq(function, lower, upper, xtol=1e-15 * upper, rtol=1e-14, maxiter=500))


def sized(control: float, design: Design) -> SampleSize:
    """The sample with this many control units before inflation."""
    units = control * design.inflation
    return SampleSize(units, units * design.ratio)


def unpowered(design: Design) -> Design:
    """The design where the power is asked for instead of given."""
    return Design(design.alpha, 1 - 1e-9, design.sided, 1.0, design.comparisons, design.inflation)


def no_units(units: tuple[float, float]) -> Status | None:
    """IMPOSSIBLE_REQUEST unless both arms have units."""
    return None if all(0 < n < math.inf for n in units) else impossible("Both arms need units.")


def _too_few(units: tuple[float, float], design: Design) -> Status | None:
    """IMPOSSIBLE_REQUEST unless both arms have units, and enough of them for a variance."""
    if no_units(units):
        return no_units(units)
    enough = sum(units) / design.inflation > 2
    return (
        None if enough else impossible("Both arms need units, more than two together: a variance takes them.")
    )


def _effect(sd: float, other: float, difference: float) -> Status | None:
    if not (0 < sd < math.inf and 0 < other < math.inf):
        return Status(StatusCode.ZERO_VARIANCE, "Standard deviations must be positive and finite.")
    if difference == 0 or not math.isfinite(difference):
        return impossible("No sample detects a difference of 0; it must be finite as well.")
    return None


def impossible(reason: str) -> Status:
    """The refusal of a request that no sample can meet."""
    return Status(StatusCode.IMPOSSIBLE_REQUEST, reason)
