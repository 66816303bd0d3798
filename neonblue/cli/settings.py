"""``neonblue settings``: every setting, and where its value comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from neonblue.cli.settings_list import DEFAULT, InForce, Setting, in_force, settings_list
from neonblue.cli.terminal import AsJson, DataDir, console, fail
from neonblue.settings import Settings
from neonblue.texts import plain

_HEAD = """\
# Settings

Every setting, from `neonblue/settings/`. This page is what `neonblue settings --markdown` prints; `neonblue settings`
shows what is in force, and where each value comes from.

A value comes, in this order, from the environment, from `neonblue.env` in the stack's folder (settings that you add
there are kept), from the default. A change takes effect at the next start of the stack. Where the address of a service
is given (`…_URL`, `NEONBLUE_KAFKA_BOOTSTRAP_SERVERS`), that one is used and none is started. Secrets that are not given
are generated at the first start. Several values are a JSON array.
"""


def settings(
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Only settings with this in name or description.")
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only those that are not the default's.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print names, defaults and descriptions as docs/settings.md.")
    ] = False,
    json_output: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show every setting: its value in force, where that comes from, its default, what it does. Secrets are masked."""
    if markdown:
        typer.echo(as_markdown(settings_list()), nl=False)
        return
    found = [
        row
        for row in in_force(Settings.load(data_dir), chosen_folder=data_dir is not None)
        if _matches(row.setting, text) and not (changed and row.source == DEFAULT)
    ]
    if json_output:
        typer.echo(json.dumps([_as_json(row) for row in found], indent=2, ensure_ascii=False))
    elif found:
        console().print(_table(found))
    elif text is not None and not changed:
        fail(f"no setting has {text!r} in its name or description")
    else:
        console().print("every setting has its default")


def as_markdown(listed: Sequence[Setting]) -> str:
    """The page of all settings, by component."""
    parts = [_HEAD]
    for component in dict.fromkeys(setting.component for setting in listed):
        parts.append(f"\n## {_title(component)}\n\n| setting | default | what it does |\n|---|---|---|\n")
        parts += [_row(setting) for setting in listed if setting.component == component]
    return "".join(parts)


def _title(component: str) -> str:
    names = {
        "": "The stack",
        "postgres": "PostgreSQL",
        "clickhouse": "ClickHouse",
        "api": "API",
        "connect": "Kafka Connect",
    }
    return names.get(component, component.capitalize())


def _row(setting: Setting) -> str:
    says = (setting.description + (f" ({setting.bounds})" if setting.bounds else "")).replace("|", r"\|")
    default = f"`{setting.default}`" if setting.default else "generated" if _generated(setting) else ""
    return f"| `{setting.name}` | {default} | {says} |\n"


def _generated(setting: Setting) -> bool:
    # An external Kafka's is its owner's.
    return setting.name.endswith(("_PASSWORD", "_API_TOKEN")) and setting.name != "NEONBLUE_KAFKA_PASSWORD"


def _matches(setting: Setting, text: str | None) -> bool:
    return text is None or text.lower() in f"{setting.name} {setting.description}".lower()


def _as_json(row: InForce) -> dict[str, object]:
    setting = row.setting
    return {
        "name": setting.name,
        "value": row.value,
        "source": row.source,
        "default": setting.default,
        "bounds": setting.bounds,
        "description": setting.description,
        "secret": setting.secret,
    }


def _table(rows: Iterable[InForce]) -> Table:
    """Values are folded, never cut; what is the default's is dim."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    made.add_column("setting", no_wrap=True)
    made.add_column("value", overflow="fold", min_width=10)
    made.add_column("from")
    made.add_column("default", overflow="fold")
    made.add_column("what it does", overflow="fold", ratio=1)
    for row in rows:
        style = "dim" if row.source == DEFAULT else "bold"
        says = row.setting.description + (f" ({row.setting.bounds})" if row.setting.bounds else "")
        default = row.setting.default if row.source != DEFAULT else ""
        made.add_row(
            row.setting.name, Text(plain(row.value), style=style), row.source, Text(default), Text(says)
        )
    return made
