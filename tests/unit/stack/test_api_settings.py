"""What a restart of the API takes from the settings as they are now."""

from __future__ import annotations

from pathlib import Path

from neonblue.settings import Settings
from neonblue.stack.services.api import Api

CHANGED = {
    "api": {"port": 9, "max_event_age_days": 30},
    "traces": {"endpoint": "http://127.0.0.1:4318", "sample_ratio": 0.5},
    "kafka": {"port": 10},
}


def test_its_own_and_those_of_traces_but_not_its_port_nor_what_others_have(tmp_path: Path) -> None:
    api = Api(Settings.model_validate({"data_dir": tmp_path}))

    successor = api.successor(Settings.model_validate({"data_dir": tmp_path} | CHANGED))

    found = successor.environment
    assert found["NEONBLUE_TRACES_ENDPOINT"] == "http://127.0.0.1:4318"
    assert found["NEONBLUE_TRACES_SAMPLE_RATIO"] == "0.5"
    assert found["NEONBLUE_API_MAX_EVENT_AGE_DAYS"] == "30"
    assert (found["NEONBLUE_API_PORT"], found["NEONBLUE_KAFKA_PORT"]) == ("8000", "19092")
    assert "NEONBLUE_TRACES_ENDPOINT" not in api.command().environment
