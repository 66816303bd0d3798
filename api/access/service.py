"""Tokens: made, listed, revoked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from api.access import repository
from api.access.cross_origin import TokenOrigins
from api.access.schemas import NewToken, TokenIn, TokenOut, TokenPage
from api.access.tokens import Scope, Tokens, digest_of_secret
from api.audit import Actor, Change, record
from api.http.pages import cut
from api.http.problems import Problem, found
from api.postgres.database import Pool

SECRET_PREFIX = "neonblue_sk_"  # noqa: S105 - what secrets begin with, so that scanners find leaked ones
PUBLISHABLE_PREFIX = "neonblue_pk_"
_RANDOM_BYTES = 32
_HINT_LENGTH = len(SECRET_PREFIX) + 4


@dataclass(frozen=True, slots=True)
class TokenService:
    pool: Pool
    tokens: Tokens
    origins: TokenOrigins

    async def create(self, new: TokenIn, actor: Actor) -> NewToken:
        """Make a token; its secret is in this answer and nowhere else."""
        prefix = SECRET_PREFIX if new.origins is None else PUBLISHABLE_PREFIX
        secret = prefix + secrets.token_urlsafe(_RANDOM_BYTES)
        digest = digest_of_secret(secret.encode())
        async with self.pool.transaction() as connection:
            row = await repository.insert(connection, new, digest, secret[:_HINT_LENGTH], actor.name)
            await record(connection, actor, Change("create", "token", str(row["id"]), None, row))
        self.tokens.expect(digest)
        self.origins.forget()
        return NewToken.model_validate(row | {"secret": secret})

    async def page(self, before: int | None, limit: int) -> TokenPage:
        async with self.pool.connection() as connection:
            rows = await repository.read_page(connection, before, limit + 1)
        items, next_cursor = cut(rows, limit, key=lambda row: row["id"])
        return TokenPage(items=[TokenOut.model_validate(row) for row in items], next_cursor=next_cursor)

    async def get(self, token_id: int) -> TokenOut:
        """Raises Problem `not_found`."""
        async with self.pool.connection() as connection:
            return TokenOut.model_validate(found(await repository.read_one(connection, token_id), "token"))

    async def revoke(self, token_id: int, actor: Actor) -> None:
        """From now on it opens nothing; other processes see it when they next look. Once revoked, stays so.

        Raises Problem `not_found`, or `last_administrator`: someone must be able to make the next token.
        """
        async with self.pool.transaction() as connection:
            administrators = await repository.lock_administrators(connection)
            before = found(await repository.read_one(connection, token_id, lock=True), "token")
            if before["revoked_at"] is not None:
                return
            if Scope.ADMIN in before["scopes"] and administrators <= {token_id}:
                raise Problem(409, "last_administrator", "Make another token with the scope admin first")
            after = await repository.revoke(connection, token_id)
            await record(connection, actor, Change("revoke", "token", str(token_id), before, after))
        self.tokens.forget()
        self.origins.forget()
