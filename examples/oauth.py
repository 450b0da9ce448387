"""Sign in with another server, and accept its tokens at an API: oauth.py ISSUER BROWSER."""

import subprocess
import sys

from gatekey import OAuthClient, ResourceServer
from gatekey.exceptions import GatekeyError

issuer, browser = sys.argv[1:]  # BROWSER: a command that signs in like a person
API, CALLBACK = "https://api.example.test", "http://127.0.0.1:9999/cb"
client = OAuthClient(
    "web-basic",
    client_secret="a-secret-of-the-tests-0123456789abcdef",  # noqa: S106
    issuer=issuer,
    redirect_uri=CALLBACK,
    scopes=["openid", "api:read"],
    allow_loopback_http=True,  # https in production
)
begun = client.begin(resources=[API], prompt="consent")  # redirect the user to begun.url
visit = [*browser.split(), "login", begun.url, CALLBACK]
callback = subprocess.run(visit, check=True, capture_output=True, text=True).stdout  # noqa: S603
login = client.finish(callback.strip(), begun.set_cookies[0].partition(";")[0])
print(login.subject, "signed in")  # and starts a session of yours: gatekey.Sessions

api = ResourceServer(API, issuer=issuer, allow_loopback_http=True)
for authorization in (f"Bearer {login.tokens.access_token}", None):
    try:
        access = api.check(authorization, scopes=["api:read"])
        print("GET /orders: 200, the orders of", access.subject)
    except GatekeyError as error:
        print(f"GET /orders: {error.status}, WWW-Authenticate:", error.www_authenticate)
