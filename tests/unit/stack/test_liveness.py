"""When a process hangs: seconds and processor time are handed in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from neonblue.stack.processes.liveness import LONGEST_GAP, Course, Look, Patience

READY = Patience(stopped=5, idle=30, busy=120)
STARTING = Patience(stopped=5, idle=120, busy=1800)


def first_hang(
    patience: Patience,
    cpu: Callable[[int], float],
    *,
    answered: Callable[[int], bool] = lambda _: False,
    stopped: Callable[[int], bool] = lambda _: False,
    seconds: int = 4000,
) -> tuple[int, str]:
    """The second at which it hangs, looked at each second, and why; after `seconds` it does not."""
    course = Course.begin(Look(0, cpu(0), answered=True))
    for second in range(1, seconds + 1):
        course = course.after(Look(second, cpu(second), answered(second), stopped(second)))
        if why := course.hangs(patience):
            return second, why
    return seconds, ""


def none(_: int) -> float:
    return 0.0


def whole(second: int) -> float:
    return float(second)


def test_silence_without_the_processor_is_a_hang_after_thirty_seconds() -> None:
    assert first_hang(READY, none) == (30, "no answer for 30 s, and the processor not used for 30 s")


def test_silence_with_the_processor_is_one_after_two_minutes() -> None:
    assert first_hang(READY, whole) == (120, "no answer for 120 s")


def test_what_answers_never_hangs_however_busy() -> None:
    assert first_hang(READY, whole, answered=lambda _: True)[1] == ""
    assert first_hang(READY, none, answered=lambda second: second % 29 == 0)[1] == ""


def test_work_that_ends_without_an_answer_is_silence_from_then_on() -> None:
    assert first_hang(READY, lambda second: min(second, 40.0))[0] == 70


def test_waking_up_for_moments_is_no_use_of_the_processor() -> None:
    assert first_hang(READY, lambda second: 0.005 * second)[0] == 30
    assert first_hang(READY, lambda second: 0.02 * second)[0] == 120


def test_a_start_goes_on_while_it_uses_the_processor_but_not_for_ever() -> None:
    assert first_hang(STARTING, none)[0] == 120
    assert first_hang(STARTING, lambda second: min(second, 600.0))[0] == 720
    assert first_hang(STARTING, whole)[0] == 1800


def test_a_descendant_that_ends_is_use_of_the_processor() -> None:
    assert first_hang(READY, lambda second: 100.0 if second <= 28 else 0.0)[0] == 60


def test_a_stopped_process_hangs_although_it_answered_just_now() -> None:
    hang = first_hang(READY, none, answered=lambda _: True, stopped=lambda second: second >= 10)

    assert hang == (15, "it was stopped by a signal")


def test_a_stop_that_passes_is_none() -> None:
    assert first_hang(READY, none, answered=lambda _: True, stopped=lambda second: second % 5 != 0)[1] == ""


@pytest.mark.parametrize("away", [600.0, 86_400.0])
def test_a_machine_that_slept_proves_nothing(away: float) -> None:
    course = Course.begin(Look(0, 0, answered=True)).after(Look(away, 0))

    assert course.hangs(READY) == ""
    assert course.silent == LONGEST_GAP
