"""A service of Flask with API keys, log-ins in browsers, and tokens of another issuer.

GATEKEY_STORE=auth.sqlite GATEKEY_PUBLIC_URL=https://shop.example gunicorn flask_service:app
"""

import os
from pathlib import Path

from flask import Flask, Response, jsonify, request

from gatekey import KeySet
from gatekey.flask import Guard

PARTNER = KeySet.from_jwks(Path(os.environ["PARTNER_JWKS"]).read_text())
USERS = {"alice": "correct horse battery staple"}  # yours have slow hashes

app = Flask(__name__)
auth = Guard.from_env(
    audience="https://shop.example/api", cookies=True, issuers={"https://partner.example": PARTNER}
)


@app.get("/orders")
@auth.requires("orders:read")
def orders() -> Response:
    return jsonify(caller=auth.access.subject, kind=auth.access.kind)


@app.delete("/orders/<int:number>")
@auth.requires("orders:write", kinds=["session"])
def cancel(number: int) -> Response:
    return jsonify(cancelled=number, by=auth.access.subject)


@app.post("/log-in")
@auth.public(limits={"log-in": "5/min"}, own_pages=True)
def log_in() -> Response:
    user = request.get_json()
    if USERS.get(user["name"]) != user["password"]:
        return Response("No such user, or another password.", 401)
    response = Response("")
    auth.log_in(response, user["name"], scopes=["orders:read", "orders:write"])
    return response


auth.install(app)  # last: a route without a guard stops the start
