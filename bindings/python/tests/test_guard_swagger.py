"""The document of an API in the page that shows it (swagger-ui), in a real browser: "Authorize"
takes what the guard takes, and a call that is tried goes through."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Annotated, Any

import pytest
import servers
import uvicorn
from aiohttp import ClientSession
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from gatekey.fastapi import Access, Guard
from gatekey.testing import log_in, new_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 60


def service(files: Path) -> tuple[FastAPI, Guard]:
    """A service with a page that needs no other host."""
    app = FastAPI(docs_url=None, redoc_url=None)
    auth = Guard("memory:", issuer="http://localhost", cookies=True, danger_allow_http=True)

    async def orders(who: Any) -> dict[str, str]:
        return {"caller": f"{who.kind} {who.subject}"}

    async def page() -> Any:
        own: Any = {"swagger_js_url": "/files/swagger-ui-bundle.js"}
        own |= {"swagger_css_url": "/files/swagger-ui.css", "swagger_favicon_url": "data:,"}
        return get_swagger_ui_html(openapi_url="/openapi.json", title="Shop", **own)

    orders.__annotations__["who"] = Annotated[Access, auth.requires("orders:read")]
    app.add_api_route("/orders", orders)
    app.add_api_route("/ui", page, include_in_schema=False, dependencies=[auth.public()])
    app.mount("/files", auth.public(StaticFiles(directory=files)))
    auth.install(app)
    return app, auth


@pytest.fixture
def shown() -> Iterator[tuple[str, Guard]]:
    """The service on a port of its own; skipped where npm or Chromium cannot be had."""
    try:
        servers.need("Chromium is missing (Debian package chromium)", "chromium", "npm")
        files = servers.packages("swagger-ui") / "node_modules/swagger-ui-dist"
    except servers.UnavailableError as why:
        pytest.skip(f"test_guard_swagger: {why}")
    app, auth = service(files)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", auth
    server.should_exit = True
    thread.join()


class Page:
    """A page of Chromium's, by its debugging protocol."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0

    async def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = json.loads((await self._socket.receive(PATIENCE)).data)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    async def run(self, script: str) -> Any:
        """Run a script of the page; what it gives."""
        done = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, (script, done)
        return done["result"].get("value")

    async def until(self, script: str) -> Any:
        """Run it until it gives something."""
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.run(script)):
                await asyncio.sleep(0.05)
        return found

    async def click(self, selector: str) -> None:
        await self.until(f"!!document.querySelector({selector!r})")
        await self.run(f"document.querySelector({selector!r}).click()")

    async def show(self, name: str) -> None:
        """Keep what is seen, if a person wants to look at it."""
        folder = os.environ.get("GATEKEY_SCREENSHOTS")
        if folder:
            seen = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
            path = os.path.join(folder, name)
            with open(path, "wb") as out:
                out.write(base64.b64decode(seen["data"]))


# React hears of a value only so.
FILL = """
(() => {{
  const field = document.querySelector({selector!r});
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, {value!r});
  field.dispatchEvent(new Event("input", {{bubbles: true}}));
}})()
"""


async def authorize(page: Page, field: str, value: str) -> str:
    """Give a credential, try the call, and say what was answered."""
    await page.click(".btn.authorize")
    await page.until(f"!!document.querySelector({field!r})")
    await page.run(FILL.format(selector=field, value=value))
    await page.run(
        f"document.querySelector({field!r}).closest('form')"
        ".querySelector('button[type=submit]').click()"
    )
    # The dialog has the button for log-out now.
    await page.until("document.querySelector('.dialog-ux').innerText.includes('Logout')")
    await page.show("authorized.png")
    await page.click(".dialog-ux .close-modal")
    await page.click(".btn.execute")
    wanted = "document.querySelector('.live-responses-table tbody .response-col_status')"
    await page.until(f"!!{wanted} && !document.querySelector('.loading')")
    await page.until(f"{wanted}.innerText.trim().length > 0")
    await page.show("executed.png")
    status = await page.run(f"{wanted}.innerText")
    body = await page.run("document.querySelector('.live-responses-table').innerText")
    return f"{status.strip()} {body}"


async def tried(url: str, auth: Guard, debugger: str) -> None:
    browser = re.sub(r"^ws://([^/]+)/.*$", r"http://\1", debugger)
    async with ClientSession() as session:
        async with session.put(f"{browser}/json/new?{url}/ui") as made:
            target = (await made.json())["webSocketDebuggerUrl"]
        async with session.ws_connect(target, max_msg_size=0) as socket:
            page = Page(socket)
            await page.click(".opblock-summary-control")
            await page.click(".try-out__btn")
            await page.click(".btn.execute")
            await page.until("document.body.innerText.includes('missing_credentials')")
            key = new_key(auth, scopes=["orders:read"])
            answer = await authorize(page, "#api_key_value", key)
            assert answer.startswith("200"), answer
            assert "api_key acme" in answer
            # The dialog offers every scheme of the guard's.
            await page.click(".btn.authorize")
            dialog = await page.until("document.querySelector('.dialog-ux').innerText")
            for scheme in ("bearer", "apiKey", "session", "X-API-Key"):
                assert scheme in dialog, dialog
            await page.call("Page.navigate", url=f"{url}/ui?again")
            await page.until("location.search === '?again'")
            await page.click(".opblock-summary-control")
            await page.click(".try-out__btn")
            token = log_in(auth, scopes=["orders:read"])["access"]
            answer = await authorize(page, "#auth-bearer-value", token)
            assert answer.startswith("200"), answer
            assert "session alice" in answer


def test_the_authorize_button(shown: tuple[str, Guard], tmp_path: Path) -> None:
    url, auth = shown
    chromium = shutil.which("chromium") or "chromium"
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,1400"]
    with subprocess.Popen(  # noqa: S603
        [chromium, *options, "about:blank"], stderr=subprocess.PIPE, text=True
    ) as process:
        timer = threading.Timer(PATIENCE * 3, process.kill)
        timer.start()
        assert process.stderr is not None
        try:
            said = ""
            while not (found := re.search(r"DevTools listening on (ws://\S+)", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            asyncio.run(tried(url, auth, found[1]))
        finally:
            timer.cancel()
            process.terminate()
