"""One node of many: keys in PostgreSQL, limits in Valkey, and the same code on each machine.

GATEKEY_STORE=postgresql://... GATEKEY_PEPPER_FILE=... GATEKEY_LIMITS=redis://... uvicorn node:app
"""

import os
from typing import Annotated

from fastapi import Body, FastAPI

from gatekey import Store
from gatekey.fastapi import Access, Guard

store = Store.open(
    os.environ["GATEKEY_STORE"],  # with sqlite:///auth.sqlite this is a service of one machine
    pepper_file=os.environ["GATEKEY_PEPPER_FILE"],
    limits=os.environ["GATEKEY_LIMITS"],
)
app = FastAPI()
keys = store.api_keys()
auth = Guard(store, api_keys=keys)
auth.install(app)
Reader = Annotated[Access, auth.requires("orders:read")]
Admin = Annotated[Access, auth.requires("keys:write")]


@app.get("/orders")
async def orders(who: Reader) -> dict[str, str | None]:
    return {"caller": who.subject}


@app.post("/keys")
def make(_: Admin, owner: Annotated[str, Body()], rate: Annotated[str, Body()]) -> dict[str, str]:
    issued = keys.create(owner=owner, scopes=["orders:read"], rate=rate)
    return {"id": issued.id, "secret": issued.secret}


@app.delete("/keys/{key}")
def revoke(key: str, who: Admin) -> None:
    keys.revoke(key, reason=f"by {who.subject}")
