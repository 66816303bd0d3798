"""The pages name commands, settings and places that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from neonblue.cli.main import COMMANDS
from neonblue.cli.settings_list import settings_list

DOCS = Path(__file__).parents[3] / "docs"
PAGES = (
    "deploying.md",
    "experiments.md",
    "operations.md",
    "from-the-specification.md",
    "quick-start.md",
    *(f"runbooks/{page.name}" for page in sorted((DOCS / "runbooks").glob("[a-z]*.md"))),
)
EVERY_PAGE = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
_COMMAND = re.compile(r"(?:`|^|bin/|\(|=\S+ )neonblue ([a-z-]+)(?: ([a-z-]+))?", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+)?(?:#([^)]+))?\)")


def _subcommands(name: str) -> set[str] | None:
    function = COMMANDS[name].load()
    if not isinstance(function, typer.Typer):
        return None
    group = typer.main.get_command(function)
    return set(group.commands) if isinstance(group, TyperGroup) else None


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_on_the_page_is_there(page: str) -> None:
    found = _COMMAND.findall((DOCS / page).read_text())

    assert found
    for name, further in found:
        assert name in COMMANDS, name
        subcommands = _subcommands(name)
        if subcommands is not None and further:
            assert further in subcommands, (name, further)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_on_the_page_is_there(page: str) -> None:
    named = set(re.findall(r"NEONBLUE_[A-Z_]+", (DOCS / page).read_text()))

    assert named <= {setting.name for setting in settings_list()}


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_every_link_on_the_page_leads_somewhere(page: str) -> None:
    for target, anchor in _LINK.findall((DOCS / page).read_text()):
        file = ((DOCS / page).parent / target).resolve() if target else DOCS / page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, (target, anchor)
