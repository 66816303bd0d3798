from __future__ import annotations

import pytest

from neonblue.serving import watch


@pytest.fixture(autouse=True)
def _looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of half a second are kept soon after it, and not at the next whole one."""
    monkeypatch.setattr(watch, "_SECONDS", 0.1)
