"""A service of Litestar with API keys, log-ins in browsers, and tokens of another issuer.

GATEKEY_STORE=auth.sqlite GATEKEY_PUBLIC_URL=https://shop.example uvicorn litestar_service:app
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, delete, get, post
from litestar.exceptions import NotAuthorizedException

from gatekey import KeySet
from gatekey.litestar import Guard

PARTNER = KeySet.from_jwks(Path(os.environ["PARTNER_JWKS"]).read_text())
USERS = {"alice": "correct horse battery staple"}  # yours have slow hashes

auth = Guard.from_env(
    audience="https://shop.example/api", cookies=True, issuers={"https://partner.example": PARTNER}
)


@dataclass
class User:
    name: str
    password: str


@get("/orders", guards=[auth.requires("orders:read")])
async def orders(request: Request[Any, Any, Any]) -> dict[str, str | None]:
    who = auth.access(request)
    return {"caller": who.subject, "kind": who.kind}


@delete(
    "/orders/{number:int}",
    guards=[auth.requires("orders:write", kinds=["session"])],
    status_code=200,
)
async def cancel(request: Request[Any, Any, Any], number: int) -> dict[str, object]:
    return {"cancelled": number, "by": auth.access(request).subject}


LIMITS = {"log-in": "5/min"}


@post("/log-in", guards=[auth.public(limits=LIMITS, own_pages=True)], status_code=200)
async def log_in(request: Request[Any, Any, Any], data: User) -> None:
    if USERS.get(data.name) != data.password:
        raise NotAuthorizedException("No such user, or another password.")
    await auth.log_in(request, data.name, scopes=["orders:read", "orders:write"])


app = Litestar([orders, cancel, log_in], plugins=[auth.plugin()])
