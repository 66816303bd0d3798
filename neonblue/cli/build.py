"""``neonblue build``: what the hourly job does, now."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.status import Status

from neonblue.cli.build_report import report, step_line
from neonblue.cli.terminal import DataDir, console, fail
from neonblue.settings import Settings

if TYPE_CHECKING:
    from orchestration.following import Moment


def build(
    days: Annotated[
        list[str] | None,
        typer.Option("--days", metavar="YYYY-MM-DD", help="Rebuild this UTC day (repeatable)."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Build and test the models, then the significance tests and stages, on the running stack.

    With --days exactly these days are rebuilt; without, those that rows have touched, as every hour.
    Exits with 0 when everything was built and no test failed, else with 1.
    """
    chosen = chosen_days(days or [], datetime.now(UTC).date())
    settings = Settings.load(data_dir)
    # Loading Dagster takes seconds: a wrong option is told before.
    from orchestration.following import DagsterAwayError
    from orchestration.launch import submit

    began = time.monotonic()
    try:
        with console(stderr=True).status("asking Dagster …") as shown:
            run_id = submit(settings, "everything", chosen)
            moment = _watch(settings, run_id, shown)
    except DagsterAwayError as error:
        fail(str(error))
    outcome = moment.course.outcome(succeeded=moment.succeeded, seconds=time.monotonic() - began)
    for line in report(outcome, settings.dagster.run_page(run_id)):
        console().print(line)
    if not outcome.succeeded:
        raise typer.Exit(1)


def _watch(settings: Settings, run_id: str, shown: Status) -> Moment:
    """The run's last moment; what runs is shown meanwhile."""
    from orchestration.following import follow

    said = ""
    try:
        for moment in follow(settings, run_id):
            said = _show(shown, step_line(moment.status, moment.course), said)
            if moment.finished:
                return moment
    except KeyboardInterrupt:
        fail(f"the run goes on without this command: see {settings.dagster.run_page(run_id)}")
    raise RuntimeError("a run was followed, but not to its end")


def chosen_days(given: list[str], today: date) -> list[date]:
    """The days named, in order, each once. Ends the command where one is none, or can have no rows."""
    return sorted({_day(text, today) for text in given})


def _day(text: str, today: date) -> date:
    from orchestration.partitions import FIRST_DAY

    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        fail(f"--days: '{text}' is not a day of the form YYYY-MM-DD")
    if day > today:
        fail(f"--days: {day} has not come yet; today is {today}, in UTC")
    if day < date.fromisoformat(FIRST_DAY):
        fail(f"--days: {day} is before {FIRST_DAY}, the first day there can be")
    return day


def _show(shown: Status, line: str, before: str) -> str:
    """Redraw the line where there is a terminal; elsewhere print it when what runs has changed."""
    out = console(stderr=True)
    shown.update(line)
    head = line.partition(" · ")[0]
    if not out.is_terminal and head != before:
        out.print(line)
    return head
