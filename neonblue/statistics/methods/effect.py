"""A difference between two arms with all that its uncertainty needs: what every test here is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neonblue.statistics.methods.fieller import fieller_lift
from neonblue.statistics.methods.t_test import infer, welch_df
from neonblue.statistics.result import Alternative, Estimate, Lift, Method
from neonblue.statistics.status import Status


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment minus control on some scale, estimated.

    n_*: units; control: the control's value; diff: the difference. var_control: variance of the control's
    value; var_from_control, var_from_treatment: the parts of the variance of `diff` that each arm brings,
    not both 0; covariance: of `diff` with the control's value. normal: judged by z instead of t with
    Welch's degrees of freedom; freedom: the degrees of freedom themselves, where the two arms don't give them. raised:
    whether the smaller arm's variance is not its own (see `lopsided`).
    """

    method: Method
    n_control: int
    n_treatment: int
    control: float
    diff: float
    var_control: float
    var_from_control: float
    var_from_treatment: float
    covariance: float
    normal: bool = False
    freedom: float | None = None
    raised: bool = False

    @classmethod
    def of_arms(
        cls,
        method: Method,
        n: tuple[int, int],
        value: tuple[float, float],
        variance: tuple[float, float],
        *,
        diff: float | None = None,
        normal: bool = False,
    ) -> Effect:
        """The difference of two independent values.

        Each pair holds (control, treatment); variance: of the values. diff: the difference itself, where it is known to
        more digits than the two values give.
        """
        return cls(
            method=method,
            n_control=n[0],
            n_treatment=n[1],
            control=value[0],
            diff=value[1] - value[0] if diff is None else diff,
            var_control=variance[0],
            var_from_control=variance[0],
            var_from_treatment=variance[1],
            covariance=-variance[0],
            normal=normal,
        )

    @property
    def variance(self) -> float:
        """Variance of the difference."""
        return self.var_from_control + self.var_from_treatment

    @property
    def df(self) -> float:
        """Degrees of freedom: Welch-Satterthwaite, or inf for a normal."""
        if self.normal:
            return math.inf
        if self.freedom is not None:
            return self.freedom
        parts = (self.var_from_control, self.n_control, self.var_from_treatment, self.n_treatment)
        return float(welch_df(*parts))

    def test(
        self, alpha: float, alternative: Alternative = Alternative.TWO_SIDED, null: float = 0.0
    ) -> Estimate:
        """Test of "the difference is `null`" with the interval that inverts it."""
        test = infer(self.diff, math.sqrt(self.variance), self.df, alpha, alternative, null)
        return test.estimate(alpha, self.method, raised=self.raised)

    def lift(self, alpha: float, alternative: Alternative = Alternative.TWO_SIDED) -> Lift | Status:
        """The difference relative to the control's size by Fieller's theorem, dual to `test`."""
        baseline = (self.control, self.var_control)
        return fieller_lift(*baseline, self.diff, self.variance, self.covariance, self.df, alpha, alternative)

    def less(self, share: float, amount: float) -> Effect:
        """diff - share |control| - amount: the contrast a margin is tested with.

        Its variance counts the control's own error, which taking share * control for a known number would not.
        """
        size = share * (-1.0 if self.control < 0 else 1.0)
        return Effect(
            method=self.method,
            n_control=self.n_control,
            n_treatment=self.n_treatment,
            control=self.control,
            diff=self.diff - size * self.control - amount,
            var_control=self.var_control,
            var_from_control=self.var_from_control + size * (size * self.var_control - 2 * self.covariance),
            var_from_treatment=self.var_from_treatment,
            covariance=self.covariance - size * self.var_control,
            normal=self.normal,
            freedom=self.freedom,
            raised=self.raised,
        )
