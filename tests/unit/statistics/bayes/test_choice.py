"""What a posterior chooses at its threshold."""

import pytest

from neonblue.statistics import Choice, Moments, Status, beta_posterior, choose


def test_the_smallest_prior_that_is_named_is_taken():
    assert not isinstance(beta_posterior(*[Moments.proportion(10, 10)] * 2, prior=(0.03, 0.03)), Status)


@pytest.mark.parametrize(
    ("chance", "choice"),
    [
        (0.975, Choice.TREATMENT),
        (0.974, Choice.NEITHER),
        (0.5, Choice.NEITHER),
        (0.026, Choice.NEITHER),
        (0.02, Choice.CONTROL),
        (0.0, Choice.CONTROL),
    ],
)
def test_the_threshold_holds_for_either_arm(chance, choice):
    assert choose(chance) is choice


def test_a_posterior_of_more_successes_chooses_the_treatment():
    posterior = beta_posterior(Moments.proportion(100, 1000), Moments.proportion(135, 1000))

    assert choose(posterior.prob_treatment) is Choice.TREATMENT
    assert choose(posterior.prob_treatment, 0.999) is Choice.NEITHER
