"""Sign in with another server and call an API with its token: oauth.py ISSUER BROWSER.

BROWSER is a command that signs in like a person; a web service sends the user's own browser instead.
"""

import shlex
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from gatekey import OAuthClient, ResourceServer
from gatekey.exceptions import GatekeyError

issuer, browser = sys.argv[1:]
API, CALLBACK = "https://api.example.test", "http://127.0.0.1:9999/cb"
api = ResourceServer(API, issuer=issuer, allow_loopback_http=True)


class Orders(BaseHTTPRequestHandler):
    """An API that shows the orders of whoever may read them."""

    def do_GET(self) -> None:  # noqa: N802
        """Answer 200, or what the refusal says."""
        try:
            access = api.check(self.headers.get("Authorization"), scopes=["api:read"])
            status, challenge, body = 200, None, f"the orders of {access.subject}"
        except GatekeyError as error:
            status = getattr(error, "status", 500)
            challenge, body = error.www_authenticate, "refused"
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def get(url: str, token: str | None) -> None:
    """Ask the API, and show what it says."""
    request = urllib.request.Request(url)  # noqa: S310
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            print("GET /orders:", answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            print("GET /orders:", error.code, error.headers["WWW-Authenticate"])


client = OAuthClient(
    "web-basic",
    issuer=issuer,
    client_secret="a-secret-of-the-tests-0123456789abcdef",  # noqa: S106
    redirect_uri=CALLBACK,
    scopes=["openid", "api:read"],
    allow_loopback_http=True,
)
begun = client.begin(resources=[API], prompt="consent")
command = [*shlex.split(browser), "login", begun.url, CALLBACK]
callback = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
cookies = "; ".join(cookie.split(";")[0] for cookie in begun.set_cookies)
login = client.finish(callback.strip(), cookies)
print(login.subject, "signed in")

server = HTTPServer(("127.0.0.1", 0), Orders)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/orders"
get(url, login.tokens.access_token)
get(url, None)
server.shutdown()
server.server_close()
