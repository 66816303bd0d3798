"""What the settings of every component have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict


class Component(BaseModel):
    """Settings of one component: immutable. Unknown names are left out here, and told by `Settings.unknown`."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ServiceSettings(Component):
    """Settings of a service that the stack runs, unless they say where somebody else runs it."""

    given_by: ClassVar[str] = "url"
    """The setting that says so."""

    @property
    def external(self) -> bool:
        """Whether somebody else runs it: the stack neither starts nor stops it."""
        return getattr(self, self.given_by) is not None


class WebServiceSettings(ServiceSettings):
    """Of a service that is reached over HTTP: at its `url` where somebody else runs it, or on the loopback."""

    if TYPE_CHECKING:  # each has its own, with its default and its words
        url: str | None
        port: int

    @property
    def address(self) -> str:
        return self.url or f"http://127.0.0.1:{self.port}"
