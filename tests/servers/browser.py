"""A browser without a window, for the development forms of the tests' authorization server.

Signs in, says no, approves a device or signs out. Used as a module, or as a program that prints
where the browser would end up::

    python3 browser.py login URL STOP [NAME]
    python3 browser.py logins STOP URL...
    python3 browser.py visit URL
    python3 browser.py deny URL STOP
    python3 browser.py device URL [NAME]
    python3 browser.py logout URL STOP
"""

from __future__ import annotations

import html
import http.cookiejar
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STEPS = 16


class _Stay(urllib.request.HTTPRedirectHandler):
    """Shows redirects: one of them is the callback, where nobody may listen."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


class Browser:
    """One browser: its cookies, and the page it shows."""

    def __init__(self, stop: str) -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(_Stay, jar)
        self._stop = stop
        self.url = ""
        self.page = ""

    def open(self, url: str, form: dict[str, str] | None = None) -> bool:
        """Goes there, and on to where it is sent; true if that is a callback, left unopened."""
        for _ in range(MOST_STEPS):
            data = urllib.parse.urlencode(form).encode() if form is not None else None
            try:
                answer = self._opener.open(url, data, timeout=10)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                self.url, self.page = url, answer.read(1 << 20).decode()
                location = answer.headers.get("location")
            if not location:
                return False
            url, form = urllib.parse.urljoin(url, location), None
            if self._stop and url.startswith(self._stop):
                self.url = url
                return True
        raise RuntimeError(f"no end of redirects at {url}")

    def submit(self, **fields: str) -> bool:
        """Send the page's form with these fields and its own hidden ones."""
        action = re.search(r'<form[^>]*action="([^"]+)"', self.page)
        if not action:
            raise RuntimeError(f"{self.url} shows no form:\n{self.page[:2000]}")
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.page))
        return self.open(urllib.parse.urljoin(self.url, html.unescape(action[1])), hidden | fields)

    def sign_in(self, name: str) -> bool:
        """Answers the forms that ask who it is and whether it is fine; true at the callback."""
        for _ in range(MOST_STEPS):
            prompt = re.search(r'name="prompt" value="(\w+)"', self.page)
            if not prompt:
                return False
            if self.submit(prompt=prompt[1], login=name, password="any"):  # noqa: S106
                return True
        raise RuntimeError(f"no end of forms at {self.url}")


def login(url: str, stop: str, name: str = "alice") -> str:
    """Signs in; the address of the callback."""
    browser = Browser(stop)
    if browser.open(url) or browser.sign_in(name):
        return browser.url
    raise RuntimeError(f"no callback, but {browser.url}:\n{browser.page[:2000]}")


def logins(stop: str, *urls: str) -> str:
    """Sign in at each in turn, in one browser; print the callbacks as they come."""
    browser = Browser(stop)
    for url in urls:
        if not (browser.open(url) or browser.sign_in("alice")):
            raise RuntimeError(f"no callback, but {browser.url}:\n{browser.page[:2000]}")
        print(browser.url, flush=True)
    return ""


def visit(url: str, name: str = "alice") -> str:
    """Goes there, signs in where it is sent, and comes back; the page in the end."""
    browser = Browser("")
    browser.open(url)
    browser.sign_in(name)
    return browser.page


def deny(url: str, stop: str) -> str:
    """Says no; the address of the callback."""
    browser = Browser(stop)
    browser.open(url)
    abort = re.search(r'href="([^"]*abort[^"]*)"', browser.page)
    if abort and browser.open(urllib.parse.urljoin(browser.url, html.unescape(abort[1]))):
        return browser.url
    raise RuntimeError(f"{browser.url} cannot be left:\n{browser.page[:2000]}")


def device(url: str, name: str = "alice") -> str:
    """Open the complete address that a device shows, confirm and sign in; the last page."""
    browser = Browser("")
    browser.open(url)
    for _ in range(3):
        if 'name="user_code"' in browser.page or 'name="xsrf"' in browser.page:
            browser.submit(confirm="yes")
    browser.sign_in(name)
    return browser.page


def logout(url: str, stop: str) -> str:
    """Signs out, confirming it; where the browser is sent then."""
    browser = Browser(stop)
    if browser.open(url) or browser.submit(logout="yes"):
        return browser.url
    raise RuntimeError(f"no way back, but {browser.url}:\n{browser.page[:2000]}")


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    actions: dict[str, Callable[..., str]] = {
        "login": login,
        "logins": logins,
        "visit": visit,
        "deny": deny,
        "device": device,
        "logout": logout,
    }
    if said := actions[what](*arguments):
        print(said)
