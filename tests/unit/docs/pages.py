"""What the pages show as code: their back-ticked words and the lines of their blocks for a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(DOCS.rglob("*.md"))
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_WORDS = re.compile(r"``(.+?)``|`([^`\n]+)`")
# What ends a command, as shlex tells punctuation apart.
_ENDS = re.compile(r"[|&;<>()]+")


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def words(page: str) -> list[str]:
    """All that stands in back-ticks, outside of blocks."""
    return [double or single for double, single in _WORDS.findall(_BLOCK.sub("", text(page)))]


def lines(page: str) -> Iterator[str]:
    """Each line of the page's blocks for a shell, or in no language; one that goes on after a backslash is one."""
    for language, block in _BLOCK.findall(text(page)):
        if language in ("", "sh"):
            yield from block.replace("\\\n", " ").splitlines()


def commands(line: str) -> Iterator[list[str]]:
    """The commands of a line, each as its words: those of a pipe and those in a substitution apart."""
    lexer = shlex.shlex(re.sub(r"\$\(|\)\"", " ; ", line), posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:  # no line of a shell: a quotation mark in a table or an answer
        return
    command: list[str] = []
    skipped = False
    for token in [*tokens, ";"]:
        if skipped:
            skipped = False
        elif not _ENDS.fullmatch(token):
            command.append(token)
        elif set(token) <= set("<>&") and set(token) & set("<>"):
            skipped = True  # the file that is read or written
        else:
            if command:
                yield command
            command = []


def shown(page: str) -> Iterator[tuple[bool, list[str]]]:
    """Every command of the page: whether it is in a block, hence whole, and its words."""
    for line in lines(page):
        yield from ((True, command) for command in commands(line))
    for word in words(page):
        yield from ((False, command) for command in commands(word))
