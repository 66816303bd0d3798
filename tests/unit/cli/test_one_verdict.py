"""One file has one verdict: `analyze` and `import` read, refuse and count alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given, settings
from hypothesis import strategies as st

from neonblue.cli.analyze_data import Options as AnalysisOptions
from neonblue.cli.analyze_data import read_experiment
from neonblue.statistics import Plan, analyze
from neonblue.tables.errors import FileError
from neonblue.tables.roles import Options
from tests.unit.cli.verdicts import Verdict, of_analysis, of_import

SEPARATORS = ",;\t|"
NOTHING = ["", "NaN", "null", "NA", " "]
WORDS = ["pending", "inf", "1e999999999", "12 %", "$5", "1,200", "1.200", "12,50", "x" * 400, "٣", "'", "-"]
ARMS = ["control", "treatment", "treatment ", "Treatment", "third", *NOTHING]


@st.composite
def dialects(draw: st.DrawFn) -> tuple[str, str, int, str, str]:
    """A separator, a line end, a way of quoting, an encoding, and what stands before the header."""
    separator = draw(st.sampled_from(SEPARATORS))
    return (
        separator,
        draw(st.sampled_from(["\n", "\r\n", "\r"])),
        draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"])),
        draw(
            st.sampled_from(
                ["", "", "# of today\n", f"# by me{separator} at home\n-- x\n", "# a\n" * 120, "\n"]
            )
        ),
    )


def written(rows: Sequence[Sequence[str]], dialect: tuple[str, str, int, str, str]) -> bytes:
    separator, end, quoting, encoding, before = dialect
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return (before + text.getvalue()).encode(encoding, errors="replace")


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header and rows: mostly good, some with a cell or a length that is not."""
    count = draw(st.integers(2, 30))
    rows = [["user_id", "variant", "converted", "revenue", "city"]]
    for at in range(count):
        row = [f"u{at}", ["control", "treatment"][at % 2], str(at % 3 // 2), f"{at}.5", "Köln"]
        fault = draw(
            st.sampled_from(
                ["none"] * 12 + ["unit", "same", "arm", "word", "blank", "short", "long", "empty"]
            )
        )
        if fault == "unit":
            row[0] = draw(st.sampled_from(NOTHING))
        elif fault == "same":
            row[0] = "u0"
        elif fault == "arm":
            row[1] = draw(st.sampled_from(ARMS))
        elif fault == "word":
            row[draw(st.sampled_from([2, 3]))] = draw(st.sampled_from(WORDS))
        elif fault == "blank":
            row[3] = draw(st.sampled_from(NOTHING))
        elif fault == "short":
            row = row[: draw(st.integers(1, 4))]
        elif fault == "long":
            row.append(draw(st.sampled_from(["", "x"])))
        elif fault == "empty":
            row = [""] * 5
        rows.append(row)
    return rows


def verdicts(content: bytes, options: Options) -> tuple[Verdict, Verdict]:
    """Both, on a file in a folder where nothing but that file may be afterwards."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_bytes(content)
        found = of_analysis(path, options, ("zero",)), of_import(path, options, ("zero",))
        assert list(Path(folder).iterdir()) == [path]
        return found


def without_threshold(verdict: Verdict) -> Verdict:
    """Units in several arms make an analysis invalid, which refuses the import."""
    return "" if isinstance(verdict, str) and "were exposed to several arms" in verdict else verdict


@settings(max_examples=300, deadline=None)
@given(rows=tables(), dialect=dialects(), skip=st.booleans())
def test_every_row_of_any_dialect_is_accounted_for_or_the_file_is_refused_by_both(
    rows: list[list[str]], dialect: tuple[str, str, int, str, str], skip: bool
) -> None:
    analysed, imported = verdicts(written(rows, dialect), Options(skip_bad_rows=skip))

    assert analysed == imported or without_threshold(imported) == ""
    event("refused" if isinstance(analysed, str) else "read")
    if isinstance(analysed, str):
        assert analysed
        return
    present = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    assert analysed.rows == len(present)
    assert analysed.read + sum(group.rows for group in analysed.left_out) == analysed.rows
    if not skip:
        assert {group.kind for group in analysed.left_out} <= {"unit in more than one arm"}


@st.composite
def stray_quotes(draw: st.DrawFn) -> tuple[str, int]:
    """A file with a quote that opens in one row and one that closes in a later row, and how many rows it has."""
    separator, end = draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from(["", "", "#"]))
    columns = draw(st.permutations(["user_id", "variant", "converted", "note", "city"]))
    columns = [name for name in columns if name != "city" or draw(st.booleans())]
    count = draw(st.integers(4, 12))
    rows = [
        [
            {"user_id": f"u{at}", "variant": "ab"[at % 2], "converted": str(at % 3 // 2)}.get(name, f"x {at}")
            for name in columns
        ]
        for at in range(count)
    ]
    opening = draw(st.integers(0, count - 2))
    closing = draw(st.integers(opening + 1, count - 1))
    place = draw(st.integers(0, len(columns) - 1))
    other = draw(st.sampled_from([place, place, draw(st.integers(0, len(columns) - 1))]))
    rows[opening][place] = f'"{rows[opening][place]}'
    rows[closing][other] = f'{rows[closing][other]}"'
    lines = [separator.join(row) + separator * bool(end) for row in rows]
    if closing > opening + 1:
        between = draw(st.integers(opening + 1, closing - 1))
        lines[between] += draw(st.sampled_from(["", separator + "y", "\n", "\n\n", separator * 2]))
    return "\n".join([separator.join(columns), *lines]) + "\n", count


@settings(max_examples=500, deadline=None)
@given(file=stray_quotes(), skip=st.booleans())
def test_no_row_between_two_stray_quotes_is_missed(file: tuple[str, int], skip: bool) -> None:
    content, count = file
    for verdict in verdicts(content.encode(), Options(skip_bad_rows=skip)):
        if not isinstance(verdict, str):
            assert verdict.rows == count


SUMS = [
    "x",
    "y",
    "control",
    "b",
    "10",
    "10,000",
    '"10,000"',
    "10000.0",
    "-1",
    "1e400",
    "inf",
    "",
    "NaN",
    "5.5",
    "9e9",
]
TOKENS = st.sampled_from(
    [
        *"\",;\t|\n\r'# .",
        *(
            '""',
            "\r\n",
            "user_id",
            "variant",
            "time",
            "a",
            "b",
            "control",
            "1",
            "0",
            "2025-07-01",
            "NaN",
            "1751371200",
        ),
        *("é", "\ufeff", "\0", "x" * 50, "metric", "n", "sum", "converted", "1,5", "9" * 30),
    ]
)
HEADERS = [
    "",
    "user_id,variant,converted\n",
    "user_id;variant;time;x\n",
    "user_id,variant,x\n1,control,0\n2,b,1\n",
]


@settings(max_examples=500, deadline=None)
@given(text=st.lists(TOKENS, max_size=60).map("".join), header=st.sampled_from(HEADERS), skip=st.booleans())
def test_any_text_is_read_or_refused_with_a_sentence(text: str, header: str, skip: bool) -> None:
    for verdict in verdicts((header + text).encode(), Options(skip_bad_rows=skip)):
        if not isinstance(verdict, str):
            assert verdict.read + sum(group.rows for group in verdict.left_out) == verdict.rows


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(SUMS), max_size=6).map(",".join), max_size=5).map("\n".join))
def test_any_file_of_sums_is_read_or_refused_with_a_sentence(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_text("Metric,Variant,N,Sum,Sum of squares\n" + text)
        with suppress(FileError, ValueError):
            analyze(read_experiment(path, AnalysisOptions()).experiment, Plan(ended=True))


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_sentence(content: bytes) -> None:
    verdicts(content, Options())
