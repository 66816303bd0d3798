"""How many requests a token may make, and of a token that stands in a page, each client."""

from __future__ import annotations

from dataclasses import dataclass

from api.access.limits import Headers, RateLimits
from api.access.strangers import network_of
from api.access.tokens import Token


@dataclass(frozen=True, slots=True)
class Admission:
    """tokens: limits by token. visitors: of publishable tokens, by token and client address."""

    tokens: RateLimits
    visitors: RateLimits

    async def admit(self, token: Token, host: str | None) -> Headers:
        """Count one request of the token from this address; the fields that tell how many more the token may make.

        Raises Problem 429, and 503 where limits can't be checked and that closes.
        """
        if token.origins is not None:
            await self.visitors.admit(f"{token.id}:{network_of(host)}")
        return await self.tokens.admit(token.id, token.rate_limit)
