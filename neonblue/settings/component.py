"""What the settings of every component have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Component(BaseModel):
    """Settings of one component: immutable. Unknown names are left out here, and told by `Settings.unknown`."""

    model_config = ConfigDict(frozen=True, extra="ignore")
