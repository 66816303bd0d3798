"""Which Host a request may name, and which web page it may come from.

A foreign Host is a page whose name was made to lead to this machine; a foreign Origin is a page that a person has open
beside this one. Cookies keep out neither: a browser sends them to every port of a host.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestration.web.refusals import Refusal

_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_USUAL_PORTS = {"http": ":80", "https": ":443"}
_OWN_PAGES = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Site:
    """Where the page may be reached: this machine's loopback names, and what is given.

    Browsers come to `public` as well; `internal` is a host and port by which other parts of the stack ask.
    """

    public: str | None
    internal: str | None = None

    @classmethod
    def of(cls, public_url: str | None, internal_url: str | None = None) -> Site:
        """The site with these addresses; only scheme, host and port count."""
        internal = None if internal_url is None else urlsplit(internal_url.lower()).netloc
        if public_url is None:
            return cls(None, internal)
        parts = urlsplit(public_url.lower())
        return cls(f"{parts.scheme}://{parts.netloc.removesuffix(_USUAL_PORTS[parts.scheme])}", internal)

    def check_host(self, hosts: Sequence[str]) -> str:
        """The Host field's value, in small letters. Raises Refusal unless there is one, of this site."""
        host = hosts[0].lower() if len(hosts) == 1 else ""
        if _LOOPBACK.fullmatch(host) or (host and host == self.internal):
            return host
        if self.public is not None and self._without_port(host) == self.public:
            return host
        raise Refusal(
            421,
            "This page is not served under that name. Use 127.0.0.1 or localhost, or set NEONBLUE_DAGSTER_PUBLIC_URL",
        )

    def _without_port(self, host: str) -> str:
        scheme = (self.public or "").partition(":")[0]
        return f"{scheme}://{host.removesuffix(_USUAL_PORTS.get(scheme, ''))}"

    def check_origin(self, origins: Sequence[str], host: str, needed: bool) -> str:
        """The Origin field's value; '' where a program, which has none, sent the request.

        Raises Refusal for another page's origin, and where one is `needed` and there is none.
        """
        if not origins and not needed:
            return ""
        allowed = {self.public} | ({f"http://{host}"} if _LOOPBACK.fullmatch(host) else set())
        origin = origins[0].lower() if len(origins) == 1 else ""
        if not origin or origin not in allowed:
            raise Refusal(
                403, "The request comes from another web page. Use Dagster's own page, or an API token"
            )
        return origin


def check_fetch(site: Sequence[str], mode: Sequence[str], method: str) -> None:
    """Raise Refusal where a browser says that another page wants this answer; it may lead a person here by a link."""
    if all(one in _OWN_PAGES for one in site):
        return
    if method in ("GET", "HEAD") and list(mode) == ["navigate"]:
        return
    raise Refusal(403, "The request comes from another web page. Use Dagster's own page, or an API token")
