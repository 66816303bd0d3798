"""What is told, when, how often, and with which command."""

from __future__ import annotations

from dataclasses import replace

from neonblue.stack.supervisor.board import State, Status
from neonblue.stack.supervisor.reminding import LASTING_SECONDS, OVER_SECONDS, Reminder, Restarts
from neonblue.stack.supervisor.troubles import Trouble, of_api, of_parts

KAFKA = Status("kafka", State.READY)
REPEAT = 3_600.0
TROUBLE = Trouble("kafka", "kafka: unready", "neonblue logs kafka")
NOW = Trouble("api/stream", "stream: behind", "neonblue logs connect", lasting=False)


def test_a_part_that_is_not_ready_is_named_with_cause_and_command() -> None:
    assert of_parts([replace(KAFKA, state=State.UNREADY, detail="no broker")]) == [
        Trouble("kafka", "kafka: unready: no broker", "neonblue logs kafka")
    ]
    (named,) = of_parts([replace(KAFKA, state=State.UNREADY, detail="kafka: no broker")])
    assert named.what == "kafka: unready: no broker"
    assert of_parts([KAFKA]) == []


def test_what_is_told_holds_nobodys_password() -> None:
    (trouble,) = of_parts(
        [replace(KAFKA, state=State.UNREADY, detail="404 for url 'http://ada:pass@host/c'")]
    )
    assert trouble.what == "kafka: unready: 404 for url 'http://host/c'"


def test_a_part_that_has_failed_is_told_at_once_and_a_low_one_though_it_is_ready() -> None:
    (failed,) = of_parts([replace(KAFKA, state=State.FAILED)])
    (low,) = of_parts([replace(KAFKA, detail="low: 2 GiB are left")])
    assert (failed.lasting, low.what) == (False, "kafka: ready: low: 2 GiB are left")


def test_what_only_suffers_from_another_is_left_out() -> None:
    parts = [
        replace(KAFKA, state=State.UNREADY),
        Status("topics", State.UNREADY),
        Status("valkey", State.UNREADY),
    ]
    assert [trouble.about for trouble in of_parts(parts, {"topics": {"kafka"}})] == ["kafka", "valkey"]


def test_steps_lead_to_a_log_that_there_is_and_lost_events_to_their_repair() -> None:
    commands = {
        trouble.about: trouble.command
        for trouble in of_parts(
            Status(name, State.UNREADY, kind="step") for name in ("connector", "topics", "stream-repair")
        )
    }
    assert commands == {
        "connector": "neonblue logs connect",
        "topics": "neonblue logs supervisor",
        "stream-repair": "neonblue reconcile --repair",
    }


def test_what_the_api_complains_of_is_told() -> None:
    found = of_api({"postgres": "ok", "stream": "behind: nothing published for 40 s", "new": "bad"})
    assert [(one.about, one.lasting, one.command) for one in found] == [
        ("api/stream", False, "neonblue logs connect"),
        ("api/new", True, "neonblue logs api"),
    ]


def test_a_trouble_that_passes_is_not_told_and_one_that_lasts_once() -> None:
    reminder = Reminder(REPEAT)
    assert reminder.look([TROUBLE], 0).new == ()
    assert reminder.look([], OVER_SECONDS).over == ()
    assert reminder.look([TROUBLE], 100).new == ()
    assert reminder.look([TROUBLE], 100 + LASTING_SECONDS).new == (TROUBLE,)
    assert reminder.look([TROUBLE], 200).new == ()


def test_what_has_lasted_already_is_told_at_once() -> None:
    assert Reminder(REPEAT).look([NOW], 0).new == (NOW,)


def test_a_trouble_that_lasts_is_told_again_in_its_newest_words() -> None:
    reminder, later = Reminder(REPEAT), replace(NOW, what="stream: still behind")
    reminder.look([NOW], 0)
    for second in range(1, int(REPEAT), 5):
        assert reminder.look([later], second).new == ()
    assert reminder.look([later], REPEAT).new == (later,)


def test_its_end_is_told_once_and_its_return_anew() -> None:
    reminder = Reminder(REPEAT)
    reminder.look([NOW], 0)
    assert reminder.look([], 2).over == ()
    assert reminder.look([NOW], 4).new == ()
    assert reminder.look([], 4 + OVER_SECONDS).over == (NOW,)
    assert reminder.look([], 60).over == ()
    assert reminder.look([NOW], 70).new == (NOW,)


def test_a_service_that_starts_again_and_again_is_told_with_its_reason_until_it_is_calm() -> None:
    restarts = Restarts()
    for count in (1, 2, 3):
        status = replace(KAFKA, state=State.RESTARTING, restarts=count, detail="ended by signal 9")
        found = restarts.look([status], 30.0 * count)
        assert restarts.look([replace(KAFKA, restarts=count)], 30.0 * count + 5) == found
        assert bool(found) == (count == 3)
    assert found[0].what == "kafka: started again 3 times within 10 min: ended by signal 9"
    assert restarts.look([replace(KAFKA, restarts=3)], 700.0) == []
