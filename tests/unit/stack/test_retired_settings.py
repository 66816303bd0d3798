"""A folder of an older version may name settings that are no more: they stop nothing, and go at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.settings.faults import RETIRED
from neonblue.stack import env_file


@pytest.mark.parametrize("name", sorted(RETIRED))
def test_a_setting_that_is_no_more_stops_nothing_and_goes(name: str, tmp_path: Path) -> None:
    file = tmp_path / ENVIRONMENT_FILE
    file.write_text(f"{name}='13030'\nOWN='kept'\n")

    assert Settings.unknown(tmp_path) == ()
    env_file.write(env_file.with_secrets(Settings.load(tmp_path)))

    written = file.read_text()
    assert name not in written
    assert "OWN='kept'" in written
    assert "NEONBLUE_DAGSTER_TOKEN='" in written
