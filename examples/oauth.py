"""Sign in with another server, then call an API with its token: oauth.py ISSUER BROWSER."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from gatekey import BegunLogin, FinishedLogin, OAuthClient, ResourceServer
from gatekey.exceptions import GatekeyError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

issuer, browser = sys.argv[1:]
API = "https://api.example.test"


def site(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Serve two pages of a web site: /login and /callback."""
    cookies = environ.get("HTTP_COOKIE", "")
    if environ["PATH_INFO"] == "/login":
        begun = client.begin(return_to="/", resources=[API], cookies=cookies)
        start("303 See Other", [("Location", begun.url), *headers(begun)])
        return []
    callback = "?" + environ["QUERY_STRING"]
    try:
        login = client.finish(callback, cookies)
    except GatekeyError as error:
        ended = client.end_login(callback)  # also of a log-in that failed
        start(f"{error.status} Refused", [("Set-Cookie", ended)] if ended else [])
        return [error.public_message.encode()]
    start("200 OK", headers(login))  # and start a session of your own: gatekey.Sessions
    print(login.subject, "signed in")
    orders(f"Bearer {login.tokens.access_token}")
    orders(None)
    return []


def orders(authorization: str | None) -> None:
    """Show the orders to a caller who may read them, as an API would."""
    try:
        access = api.check(authorization, scopes=["api:read"])
        print("GET /orders: 200, the orders of", access.subject)
    except GatekeyError as error:
        print(f"GET /orders: {error.status}, WWW-Authenticate:", error.www_authenticate)


def headers(step: BegunLogin | FinishedLogin) -> list[tuple[str, str]]:
    """Give the cookies that must go with an answer."""
    return [("Set-Cookie", cookie) for cookie in step.set_cookies]


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """See BaseHTTPRequestHandler."""


server = make_server("127.0.0.1", 0, site, handler_class=Quiet)
home = f"http://127.0.0.1:{server.server_port}"
client = OAuthClient(
    "native",
    issuer=issuer,
    redirect_uri=f"{home}/callback",
    scopes=["openid", "api:read"],
    allow_loopback_http=True,  # https in production
)
api = ResourceServer(API, issuer=issuer, allow_loopback_http=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
subprocess.run([*browser.split(), "visit", f"{home}/login"], check=True, capture_output=True)  # noqa: S603
server.shutdown()
server.server_close()
