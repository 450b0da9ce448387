"""A service of FastAPI with API keys, log-ins in browsers, and tokens of another issuer.

GATEKEY_STORE=auth.sqlite GATEKEY_PUBLIC_URL=https://shop.example uvicorn fastapi_service:app
"""

import os
from pathlib import Path
from typing import Annotated

from fastapi import Body, FastAPI, HTTPException, Request, Response

from gatekey import KeySet
from gatekey.fastapi import Access, Guard

PARTNER = KeySet.from_jwks(Path(os.environ["PARTNER_JWKS"]).read_text())
USERS = {"alice": "correct horse battery staple"}  # yours have slow hashes

app = FastAPI()
auth = Guard.from_env(
    audience="https://shop.example/api", cookies=True, issuers={"https://partner.example": PARTNER}
)
auth.install(app)  # /auth/refresh, /auth/log-out, /auth/devices, /.well-known/jwks.json, ...
Reader = Annotated[Access, auth.requires("orders:read")]
Writer = Annotated[Access, auth.requires("orders:write", kinds=["session"])]
Text = Annotated[str, Body()]


@app.get("/orders")
async def orders(who: Reader) -> dict[str, str | None]:
    return {"caller": who.subject, "kind": who.kind}


@app.delete("/orders/{number}")
async def cancel(number: int, who: Writer) -> dict[str, object]:
    return {"cancelled": number, "by": who.subject}


@app.post("/log-in", dependencies=[auth.public(limits={"log-in": "5/min"}, own_pages=True)])
async def log_in(request: Request, response: Response, name: Text, password: Text) -> None:
    if USERS.get(name) != password:
        raise HTTPException(401, "No such user, or another password.")
    await auth.log_in(request, response, name, scopes=["orders:read", "orders:write"])
