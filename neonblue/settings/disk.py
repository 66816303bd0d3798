"""Settings of the watch over free space."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from neonblue.settings.component import Component


class DiskSettings(Component):
    """When the disk that the data folder is on has too little room. None: by the disk's size, see `neonblue.disk`."""

    warn_mebibytes: int | None = Field(
        default=None,
        ge=0,
        description="with less room the stack warns; not given: 2048, on a disk below 10 GiB a fifth of it",
    )
    refuse_mebibytes: int | None = Field(
        default=None,
        ge=0,
        description="with less room events are refused; not given: 512, on a disk below 10 GiB a twentieth of it",
    )

    @model_validator(mode="after")
    def _warn_first(self) -> Self:
        if None not in (self.warn_mebibytes, self.refuse_mebibytes) and (self.warn_mebibytes or 0) < (
            self.refuse_mebibytes or 0
        ):
            raise ValueError("disk: warn_mebibytes must not be less than refuse_mebibytes")
        return self
