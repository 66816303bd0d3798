"""How many wrong tokens one address may try: each is a question to the API, and a look into PostgreSQL there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from orchestration.web.refusals import Refusal

_AT_ONCE = 20
_PER_SECOND = 0.5
_ADDRESSES = 10_000


class Failures:
    """Counts failures by address: 20 at once, then one each two seconds. What succeeds costs nothing."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise Refusal 429 where the address has tried too many wrong tokens."""
        if self._remaining(address) < 1:
            raise Refusal(
                429, "Too many wrong tokens: wait some seconds, then try again", {"retry-after": "2"}
            )

    def count(self, address: str) -> None:
        """One more wrong token of this address."""
        left = max(0.0, self._remaining(address) - 1)
        self._left[address] = (left, self._clock())
        self._left.move_to_end(address)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)

    def _remaining(self, address: str) -> float:
        left, at = self._left.get(address, (float(_AT_ONCE), 0.0))
        return min(float(_AT_ONCE), left + (self._clock() - at) * _PER_SECOND)
