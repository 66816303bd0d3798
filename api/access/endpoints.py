"""Tokens over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from api.access.dependencies import Admin
from api.access.schemas import NewToken, TokenIn, TokenOut, TokenPage
from api.access.service import TokenService
from api.http.pages import Cursor, Limit, read_cursor
from api.http.parts import part

router = APIRouter(prefix="/v1/tokens", tags=["access"])

Service = Annotated[TokenService, Depends(part(TokenService))]

TokenId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("", status_code=201)
async def create_token(new: TokenIn, request: Request, service: Service, actor: Admin) -> NewToken:
    """Make a token. Its secret is in this answer only."""
    request.state.secret_answer = True
    return await service.create(new, actor)


@router.get("")
async def list_tokens(service: Service, _: Admin, cursor: Cursor = None, limit: Limit = 50) -> TokenPage:
    """Tokens, newest first, revoked ones too."""
    return await service.page(read_cursor(cursor), limit)


@router.get("/{token_id}")
async def get_token(token_id: TokenId, service: Service, _: Admin) -> TokenOut:
    """One token."""
    return await service.get(token_id)


@router.delete("/{token_id}", status_code=204)
async def revoke_token(token_id: TokenId, service: Service, actor: Admin) -> None:
    """Revoke a token, for good. Every API process refuses it within `NEONBLUE_API_TOKEN_CACHE_SECONDS`."""
    await service.revoke(token_id, actor)
