"""Writes the software bill of materials: ``python -m neonblue.supply_chain.sbom [FILE]``.

CycloneDX 1.6 as JSON, the same bytes for the same locks: no time, and a serial number made from the content.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from neonblue import __version__
from neonblue.stack.errors import ArtifactError
from neonblue.supply_chain.components import Component, LockError, locked
from neonblue.supply_chain.engines import ENGINES, Engine, version_of

_PROPERTY = "neonblue:condition"
_INSIDE = "neonblue:inside"


def bill(components: Iterable[Component], engines: Mapping[Engine, str], version: str) -> dict[str, Any]:
    """The document. `engines`: each with its own version."""
    parts = list(components)
    purls = {part.name: part.purl for part in parts}
    inside = [_engine(engine, purls[engine.wheel], found) for engine, found in engines.items()]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "neonblue",
                "name": "neonblue",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": sorted([*map(_library, parts), *inside], key=lambda one: str(one["bom-ref"])),
        "dependencies": [{"ref": "neonblue", "dependsOn": sorted(part.purl for part in parts)}],
    }
    serial = uuid5(NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return {"serialNumber": f"urn:uuid:{serial}"} | document


def _library(part: Component) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "hashes": [{"alg": "SHA-256", "content": content} for content in part.hashes],
    }
    if part.group:
        described["group"] = part.group
    if part.condition:
        described["properties"] = [{"name": _PROPERTY, "value": part.condition}]
    return described


def _engine(engine: Engine, wheel: str, version: str) -> dict[str, Any]:
    purl = f"pkg:generic/{engine.name}@{version}"
    return {
        "type": "application",
        "bom-ref": purl,
        "name": engine.name,
        "version": version,
        "purl": purl,
        "cpe": f"cpe:2.3:a:{engine.cpe}:{version}:*:*:*:*:*:*:*",
        "properties": [{"name": _INSIDE, "value": wheel}],
    }


def main(arguments: list[str]) -> int:
    try:
        document = bill(locked(Path.cwd()), {engine: version_of(engine) for engine in ENGINES}, __version__)
    except (LockError, ArtifactError, OSError, RuntimeError) as error:
        print(f"No bill of materials: {error}", file=sys.stderr)
        return 2
    text = json.dumps(document, indent=2) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
        print(f"{arguments[0]}: {len(document['components'])} components")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
