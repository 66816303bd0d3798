"""Every asset and check in one text. Run as a module, it writes the text that the snapshot test compares with."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dagster import Definitions

from neonblue.settings import Settings
from orchestration.definitions import build

SNAPSHOT = Path(__file__).with_name("assets.txt")


def asset_table(definitions: Definitions) -> str:
    """Key, group, partitions and dependencies of each asset, and its checks, sorted."""
    graph = definitions.resolve_asset_graph()
    lines: list[str] = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        partitions = "–" if node.partitions_def is None else _partitions(node.partitions_def)
        lines.append(f"{key.to_user_string()} [{node.group_name}] {partitions}")
        lines += [f"    after {parent.to_user_string()}" for parent in sorted(node.parent_keys)]
        lines += [
            f"    check {check.name}{' (blocking)' if graph.get(check).blocking else ''}"
            for check in sorted(node.check_keys, key=lambda check: check.name)
        ]
    return "\n".join(lines) + "\n"


def _partitions(definition: object) -> str:
    name = getattr(definition, "name", None)
    return f"by {name}" if name else "by day"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        SNAPSHOT.write_text(asset_table(build(Settings(data_dir=Path(folder)))))
