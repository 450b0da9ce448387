"""The services of `make bench-guard`: one route, in FastAPI and in Flask, open or behind a guard.

    guard.py prepare FOLDER     a store with a key and a session, and the headers of each door's client
    uvicorn guard:fastapi_app   with GUARD_FOLDER and GUARD_DOOR in the environment; gunicorn guard:flask_app

Peers are written as their documentation says, with keys parsed once.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

OWN, API = "https://shop.example", "https://api.example"
ISSUERS = {"HS256": "https://auth.example", "ES256": "https://login.example"}
SCOPE = "orders:read"
SECRET = b"of another issuer, 32 bytes too!"


def prepare(folder: Path) -> None:
    """Writes what the services open, and `headers.json`: the headers for each door."""
    from gatekey import Key, Signer
    from gatekey.guard import Guard

    folder.mkdir(parents=True, exist_ok=True)
    keys = {"HS256": Key.from_secret(SECRET, "HS256"), "ES256": Key.generate("ES256", kid="one")}
    (folder / "es256.pem").write_text(keys["ES256"].public().to_pem())
    guard = Guard(**options(folder))
    key = guard.api_keys.create(owner="customer-1", scopes=[SCOPE]).secret
    started = guard.start_session("alice", scopes=SCOPE).tokens
    claims = {"sub": "alice", "client_id": "app", "scope": SCOPE}
    headers = {"open": {}, "api_key": {"X-API-Key": key}}
    headers["cookie"] = {"Cookie": f"theme=dark; {guard.cookies.names[0]}={started.access_token}"}
    headers["bearer"] = {"Authorization": f"Bearer {started.access_token}"}
    for alg, own in keys.items():
        signer = Signer(own, issuer=ISSUERS[alg], audience=API, typ="at+jwt", ttl=86_400)
        headers[f"jwt {alg}"] = {"Authorization": f"Bearer {signer.sign(claims)}"}
    (folder / "headers.json").write_text(json.dumps(headers))


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/auth.sqlite"


def options(folder: Path) -> dict[str, Any]:
    """One guard for all doors: it takes every kind of credential."""
    from gatekey import Key

    hs256 = Key.from_secret(SECRET, "HS256")
    es256 = Key.from_pem((folder / "es256.pem").read_bytes(), kid="one")
    return {
        "store": store(folder),
        "issuer": OWN,
        "cookies": True,
        "audience": API,
        "issuers": {ISSUERS["HS256"]: hs256, ISSUERS["ES256"]: es256},
        "public_url": OWN,
    }


def pyjwt_key(folder: Path, alg: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return SECRET if alg == "HS256" else load_pem_public_key((folder / "es256.pem").read_bytes())


def decoded(token: str, key: Any, alg: str) -> str:
    """What a dependency of one's own does with PyJWT."""
    import jwt

    claims = jwt.decode(token, key, algorithms=[alg], audience=API, issuer=ISSUERS[alg])
    if SCOPE not in claims.get("scope", "").split(" "):
        raise PermissionError
    return claims["sub"]


def of_fastapi(folder: Path, door: str) -> Any:
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

    app = FastAPI()
    kind, _, alg = door.partition(" ")
    if kind == "open":

        @app.get("/orders/{number}")
        async def orders(number: int) -> dict[str, object]:
            return {"number": number, "subject": "alice"}

    elif kind == "pyjwt":
        import jwt

        key, bearer = pyjwt_key(folder, alg), HTTPBearer()

        async def subject(sent: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
            try:
                return decoded(sent.credentials, key, alg)
            except (jwt.InvalidTokenError, PermissionError) as error:
                raise HTTPException(401) from error

        @app.get("/orders/{number}")
        async def orders_of_own(number: int, who: Annotated[str, Depends(subject)]) -> dict[str, object]:
            return {"number": number, "subject": who}

    else:
        from gatekey.fastapi import Access, Guard

        auth = Guard(**options(folder))
        auth.install(app)

        @app.get("/orders/{number}")
        async def orders_guarded(number: int, who: Annotated[Access, auth.requires(SCOPE)]) -> dict[str, object]:
            return {"number": number, "subject": who.subject}

    return app


def of_flask(folder: Path, door: str) -> Any:
    from flask import Flask

    app = Flask(__name__)
    kind, _, alg = door.partition(" ")
    if kind == "open":

        @app.get("/orders/<int:number>")
        def orders(number: int) -> dict[str, object]:
            return {"number": number, "subject": "alice"}

    elif kind == "flask-jwt-extended":
        from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required

        app.config.update(
            JWT_ALGORITHM=alg,
            JWT_SECRET_KEY=SECRET,
            JWT_DECODE_AUDIENCE=API,
            JWT_DECODE_ISSUER=ISSUERS[alg],
        )
        JWTManager(app)

        @app.get("/orders/<int:number>")
        @jwt_required()
        def orders_extended(number: int) -> dict[str, object]:
            return {"number": number, "subject": get_jwt_identity()}

    else:
        from gatekey.flask import Guard

        auth = Guard(**options(folder))

        @app.get("/orders/<int:number>")
        @auth.requires(SCOPE)
        def orders_guarded(number: int) -> dict[str, object]:
            return {"number": number, "subject": auth.access.subject}

        auth.install(app)

    return app


def __getattr__(name: str) -> Any:
    made = {"fastapi_app": of_fastapi, "flask_app": of_flask}.get(name)
    if made is None:
        raise AttributeError(name)
    app = globals()[name] = made(Path(os.environ["GUARD_FOLDER"]), os.environ["GUARD_DOOR"])
    return app


if __name__ == "__main__":
    prepare(Path(sys.argv[2]))
