"""Equal shares within strata, against other implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neonblue.statistics import Moments
from neonblue.statistics.experiment.association import Counts, always_valid_p, equal_shares_p
from neonblue.statistics.methods.score import score_test


def table(counts):
    return np.array(
        [
            [counts.treatment, counts.n_treatment - counts.treatment],
            [counts.control, counts.n_control - counts.control],
        ]
    )


# Admissions to Berkeley in 1973 by department: admitted, applicants; men, then women (Bickel et al. 1975).
BERKELEY = [
    Counts(512, 825, 89, 108),
    Counts(353, 560, 17, 25),
    Counts(120, 325, 202, 593),
    Counts(138, 417, 131, 375),
    Counts(53, 191, 94, 393),
    Counts(22, 373, 24, 341),
]


def test_several_strata_are_the_cochran_mantel_haenszel_test():
    laws = [stats.hypergeom(c.n, c.having, c.n_treatment) for c in BERKELEY]
    surplus = abs(sum(c.treatment - law.mean() for c, law in zip(BERKELEY, laws, strict=True)))
    variance = sum(law.var() for law in laws)

    # R's mantelhaen.test(UCBAdmissions), which corrects for continuity, prints 1.4269.
    assert (surplus - 0.5) ** 2 / variance == pytest.approx(1.4269, abs=5e-5)
    assert equal_shares_p(BERKELEY) == pytest.approx(stats.chi2.sf(surplus**2 / variance, 1), rel=1e-9)


def test_one_stratum_is_the_score_test():
    test = score_test(Moments.proportion(300, 900), Moments.proportion(40, 100))

    assert equal_shares_p([Counts(300, 900, 40, 100)]) == pytest.approx(test.p_value, rel=1e-9)


@given(n=st.tuples(st.integers(1, 30), st.integers(1, 30)), share=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_one_small_stratum_is_fishers_test(n, share):
    counts = Counts(round(n[0] * share[0]), n[0], round(n[1] * share[1]), n[1])
    if min(stats.contingency.expected_freq(table(counts)).ravel()) >= 5:
        return

    assert equal_shares_p([counts]) == pytest.approx(stats.fisher_exact(table(counts)).pvalue, rel=1e-9)


def test_few_over_many_lopsided_strata_keep_their_error_rate():
    rng = np.random.default_rng(1)
    sizes = [(990, 10)] * 5
    p_values = [
        equal_shares_p([Counts(*(x for n in size for x in (rng.binomial(n, 0.002), n))) for size in sizes])
        for _ in range(2000)
    ]

    assert np.mean(np.array(p_values) < 0.05) <= 0.06


@pytest.mark.parametrize(
    "strata", [[], [Counts(0, 0, 0, 0)], [Counts(5, 5, 5, 5)], [Counts(0, 9, 0, 9)], [Counts(3, 9, 0, 0)]]
)
def test_where_nothing_can_be_told_p_is_one(strata):
    assert equal_shares_p(strata) == 1
    assert always_valid_p(strata, 0.001) == 1


def test_watched_shares_need_more():
    strata = [Counts(1200, 4000, 1400, 4000)]

    assert equal_shares_p(strata) < always_valid_p(strata, 0.001) < 0.001
    assert always_valid_p([Counts(0, 90_000, 80_000, 90_000)], 0.001) < 1e-300
    assert always_valid_p([Counts(0, 40, 4, 40)], 0.001) > 0.5


def test_more_than_all_units_is_refused():
    with pytest.raises(ValueError, match="counts"):
        Counts(3, 2, 0, 1)
