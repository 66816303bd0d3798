"""Results that are kept, and the table they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from neonblue.simulation.lives.__main__ import main
from neonblue.simulation.lives.table import BEGIN, END, keep, markdown, read, write
from neonblue.simulation.lives.tally import Tally


def counted(family: str, **fields: object) -> Tally:
    neutral: dict[str, object] = {
        "lives": 200,
        "wrong_ships": 1,
        "wrong_harms": 2,
        "found": 150,
        "intervals": 190,
        "missed": 3,
        "level": 0.975,
        "invalid": 0,
        "broken": 0,
        "shows": {"false ship": 17},
    }
    return Tally(**{"family": family, **neutral, **fields})  # type: ignore[arg-type]


def test_a_family_that_is_played_again_replaces_what_was_kept_of_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "lives.jsonl"
    keep(path, [counted("planned"), counted("better")])

    keep(path, [counted("planned", wrong_ships=5)])

    assert read(path) == [counted("planned", wrong_ships=5), counted("better")]
    assert read(tmp_path / "none.jsonl") == []


def test_a_row_says_what_holds_and_what_does_not() -> None:
    *_, planned, better = markdown([counted("better", found=20), counted("planned")]).splitlines()

    assert planned.endswith("| 200 | 0.5% | 1.0% | 98.4% (97.5%) | - | 0.0% | yes |")
    assert better.endswith("| 10.0% | 0.0% | **no**: found |")


def test_the_page_gets_the_table_between_its_markers_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write("new", page)

    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="markers"):
        write("new", page)


def test_the_command_plays_keeps_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "lives.jsonl"
    page.write_text(f"{BEGIN}\n{END}\n")
    files = ["--keep", str(kept), "--page", str(page)]

    code = main(["--lives", "2", "--families", "small", "--processes", "1", *files])

    assert code == 0
    assert read(kept)[0].lives == 2
    assert markdown(read(kept)) in page.read_text()
    assert "small: holds" in capsys.readouterr().out


def test_the_command_tells_one_life(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--families", "better", "--seed", "0"]) == 0

    assert "better 0" in capsys.readouterr().out
