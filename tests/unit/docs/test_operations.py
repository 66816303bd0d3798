"""The page for operators has every port, as the settings have them."""

from __future__ import annotations

import re
from pathlib import Path

from neonblue.settings import Settings
from neonblue.stack.services.environment import variables

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"


def test_every_port_is_named_with_its_setting() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = {
        (setting, port)
        for ports, of in rows
        for setting, port in zip(re.findall(r"`(NEONBLUE_\w+_PORT)`", of), ports.split(", "), strict=True)
    }

    assert named == {
        (name, value)
        for name, value in variables(Settings.model_construct()).items()
        if name.endswith("_PORT")
    }
