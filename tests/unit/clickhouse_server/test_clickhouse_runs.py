"""By its query's comment a run is known; nothing else of a comment is."""

from __future__ import annotations

import pytest

from neonblue.clickhouse_server.request import run_of

_RUN = "8a5f3d62-27f5-4c5c-9c54-0f7b8c7d2a11"


@pytest.mark.parametrize(
    ("comment", "run"),
    [
        (f"run_id={_RUN}", _RUN),
        ("", None),
        ("ann@example.com", None),
        (f"run_id={_RUN} ann", None),
        (f"run_id={_RUN}\n", None),
        ("run_id=" + "x" * 36, None),
    ],
)
def test_a_comment_names_a_run_or_nothing(comment: str, run: str | None) -> None:
    assert run_of({"log_comment": comment}) == run


def test_without_a_comment_there_is_no_run() -> None:
    assert run_of({}) is None
