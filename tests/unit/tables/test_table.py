"""What is a table, where its rows are, and what is none."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from neonblue.tables.errors import FileError
from neonblue.tables.table import Row, Table
from tests.unit.tables.conftest import Write

ROWS = [("1", "a", "0"), ("2", "b", "1")]
TEXT = "user_id,variant,x\n1,a,0\n2,b,1\n"


def rows(path: Path) -> list[tuple[str, ...]]:
    return [tuple(row.cells) for row in Table.open(path).rows()]


def refusal(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        rows(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.rstrip("\n"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        "\ufeff" + TEXT,
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t"),
        TEXT.replace(",", "|"),
        "sep=;\r\n" + TEXT.replace(",", ";"),
        "\n\n" + TEXT.replace("\n", "\n\n"),
        TEXT + ",,\n  \n",
        "# exported today, at noon\n" + TEXT,
        "# exported by X, on 2025-01-01, by me\n" + TEXT,
        "# exported by X, on Monday, by me\n" + TEXT,
        "# the file of May\n#\n# by user, in Berlin, for us\n\n" + TEXT,
        '# says "hello, I, am"\n' + TEXT,
        "# exported by X,,\n" + TEXT,
        '"# exported by X, on Monday",,\n' + TEXT,
        "-- SELECT user_id, variant, x\n-- FROM units\n" + TEXT,
        "// of today, by me, for us\n" + TEXT,
        "# one of many, many, lines\n" * 150 + TEXT,
        "#" + TEXT,
        "# of today\n#" + TEXT,
        '"user_id","variant","x"\n"1","a","0"\n"2","b","1"\n',
        gzip.compress(TEXT.encode(), mtime=0),
    ],
)
def test_one_table_in_many_dialects(write: Write, content: str | bytes) -> None:
    path = write(content)

    assert Table.open(path).columns == ("user_id", "variant", "x")
    assert rows(path) == ROWS


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("# by me, at home\nvariant,x\na,1\nb,0\n", ("variant", "x")),
        ("# at home, today\n# by me, for us\nvariant,x\na,1\nb,0\n", ("variant", "x")),
        ("# by me, on 2025-07-01\nday,x\n2025-07-01,1\n2025-07-02,0\n", ("day", "x")),
        ("# by me, at home\nbranch,bought\nA,yes\nB,no\nA,no\n", ("branch", "bought")),
        ("#branch,bought\nA,yes\nB,no\nA,no\n", ("branch", "bought")),
        ("# branch,bought\nA,yes\nB,no\nA,no\n", ("branch", "bought")),
        ("#branch,bought\nA,NA\nB,1\nC,2\n", ("branch", "bought")),
        ("#branch,30d_revenue\nA,4\n", ("branch", "30d_revenue")),
        ("# by me, at home\nvariant,x\n", ("variant", "x")),
        ("#,variant,x\n1,a,0\n2,b,1\n", ("", "variant", "x")),
        ("# variant,x\nvariant,x\na,1\n", ("variant", "x")),
    ],
)
def test_a_comment_is_no_header_whatever_separators_it_holds_and_a_marked_header_is_one(
    write: Write, content: str, columns: tuple[str, ...]
) -> None:
    assert Table.open(write(content)).columns == columns


def test_a_row_knows_the_line_it_begins_at(write: Write) -> None:
    path = write('# of today\nuser_id,variant,note\n1,a,"two\nlines"\n\n2,b,x\n')

    assert list(Table.open(path).rows()) == [Row(1, 3, ["1", "a", "two\nlines"]), Row(2, 6, ["2", "b", "x"])]


def test_the_separator_is_the_one_that_rows_agree_on(write: Write) -> None:
    path = write("user_id;variant;revenue, EUR\n1;a;0,5\n2;b;1,5\n")

    assert Table.open(path).columns == ("user_id", "variant", "revenue, EUR")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        (f"a,{'b' * 300}\n1,2\n", "names a column with more than 256 characters"),
        ("a,A\n1,2\n", "the header names A, a more than once"),
        ('a,b,c\n1,2,3\n4,5,"inch\n6,7,8\n', "line 3 (row 2) opens a quote that is not closed"),
        ('a,"b\n1,2\n', "line 1 (the header) opens a quote that is not closed"),
        ('a,b,c\n"x\ny",2,"inch\n6,7,8\n', "line 2 (row 1) opens a quote at line 3 that is not closed"),
        ('a,b\n1,"x"y\n', "line 2 (row 1) opens a quote, and has text behind its end"),
        ('a,b\n1,"x\n2,"y\n', "line 2 (row 1) opens a quote, and has text behind its end at line 3"),
        (
            'a,b,c\n1,2,"\n3,4,5\n6,7,"\n',
            "line 2 (row 1) opens a quote that is closed in another row: what is inside, up to line 4,",
        ),
        ('a,b,c\n1,2,"\n6,7,"\n', "opens a quote that is closed in another row"),
        ('a;b;c\n1;2;x;\n1;2;"x;\n6;7;y";\n', "line 3 (row 2) opens a quote that is closed in another row"),
        ('a,b,c\n1,2,"x\n\n6,7,y"\n', "line 2 (row 1) opens a quote that is closed in another row"),
        ('a,b,c\n1,2,"x\n3,4,5,6\n6,7,y"\n', "line 2 (row 1) opens a quote that is closed in another row"),
        ('a,b,c\n1,"x,3\n6,y",5\n', "line 2 (row 1) opens a quote that is closed in another row"),
        ('a,b,c\n"x,2,3\ny",6,5\n', "line 2 (row 1) opens a quote that is closed in another row"),
        ('a,b,c\n1,2,"x\n6,y",8\n', "line 2 (row 1) opens a quote that is closed in another row"),
        (
            'a,b,c\n"x\ny",2,"x\n6,7,y"\n',
            "line 2 (row 1) opens a quote at line 3 that is closed in another row",
        ),
        ('a,b\n1,"' + "x" * 200_000 + '"\n', "line 2 (row 1) has a cell of more than 131,072 characters"),
        (
            'a,b\n1,"' + "x\n" * 100_000 + '"\n2,"y',
            "line 2 (row 1) has a cell of more than 131,072 characters",
        ),
        ('a,b\n1,"' + "x\n" * 100_000, "line 2 (row 1) opens a quote that is not closed"),
        ("a,b\n1," + "x" * 200_000 + "\n", "line 2 (row 1) has a cell of more than 131,072 characters"),
        ("a,b\n1," + "x" * 2_000_000 + "\n", "is longer than 1,048,576 characters"),
        (TEXT.encode() + b"3,a,K\xf6ln\n", "line 4 is not UTF-8 (byte 0xf6)"),
        (b"a" * 9_000 + b"\n" + b"b\n" * 600_000 + b"\xf6\n", "line 600002 is not UTF-8"),
        (TEXT.encode() + b"\xc3", "line 4 is not UTF-8"),
        (TEXT.encode() + b"3,a,\0\n", "line 4 holds a NUL byte"),
        (TEXT.encode("utf-16"), "is in UTF-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "is in UTF-16"),
        (TEXT.encode("utf-16-le"), "holds a NUL byte"),
        (TEXT.encode("utf-32"), "is in UTF-32"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"PAR1rest", "can't be read as Parquet"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        ('[{"user_id": 1}]', "is JSON"),
        ("<!DOCTYPE html><p>Sign in", "is HTML"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "can't be read"),
        (gzip.compress(TEXT.encode(), mtime=0)[:12] + b"xxxxxxxxxxxxxxxx", "can't be read"),
        (gzip.compress(b"\0" * 3_000_000, mtime=0), "line 1 holds a NUL byte"),
        (gzip.compress(b"x" * 3_000_000, mtime=0), "is longer than 1,048,576 characters"),
    ],
)
def test_what_is_no_table_is_refused_with_the_line_and_the_reason(
    write: Write, content: str | bytes, words: str
) -> None:
    path = write(content)

    message = refusal(path)

    assert words in message
    assert str(path) in message
    assert len(message) < 400


def test_a_cell_may_have_several_lines(write: Write) -> None:
    path = write('user_id,variant,note\n1,a,"first, and\nsecond, too"\n2,b,"x ""quoted"""\n')

    assert rows(path) == [("1", "a", "first, and\nsecond, too"), ("2", "b", 'x "quoted"')]


def test_a_folder_and_a_missing_file_are_sentences(tmp_path: Path) -> None:
    assert "this is a folder" in refusal(tmp_path)
    assert "there is no such file" in refusal(tmp_path / "none.csv")


def test_standard_input_is_read_as_often_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    table = Table.open(Path("-"))

    assert [tuple(row.cells) for _ in range(2) for row in table.rows()] == ROWS * 2
    assert table.source.name == "standard input"


def test_a_pipe_is_read_as_often_as_needed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write({TEXT!r})"]):
        table = Table.open(pipe)

    assert [tuple(row.cells) for _ in range(2) for row in table.rows()] == ROWS * 2


def test_a_file_that_changes_while_it_is_read_is_noticed(write: Write) -> None:
    table = Table.open(write(TEXT))
    write(TEXT + "3,a,1\n")

    with pytest.raises(FileError, match="changed while it was read"):
        list(table.rows())


def test_a_long_line_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"user_id,variant,x\n")
        for _ in range(100):
            file.write(b"x" * 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert "is longer than" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
