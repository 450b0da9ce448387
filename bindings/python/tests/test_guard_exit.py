"""Nothing succeeds that no guard has decided, and nobody is taken for the caller before."""

from __future__ import annotations

import logging
import sys
import threading
from contextvars import copy_context
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, Response, abort, redirect, request
from flask.views import MethodView
from guard_doors import OfFlask, Seen, wsgi
from guard_world import OWN, lose_store

import gatekey.flask
from gatekey import Key, Signer
from gatekey._core import _Request
from gatekey.exceptions import ConfigurationError, UsageError
from gatekey.guard import FormerTokens, Guard
from gatekey.guard.answer import Answer
from gatekey.guard.routes import Asked
from gatekey.testing import log_in, new_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEER = "192.0.2.7"
SECRET = Key.from_secret("kq8Zr1ptTgq0Yw3nBc7LmXv5Jd2Hs9Ua4Eo6", "HS256")
Shop = tuple[gatekey.flask.Guard, Flask]


def kept(view: Any) -> Any:
    """A cache above a guard: the first answer is everybody's."""
    found: list[Any] = []

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not found:
            found.append(view(*args, **kwargs))
        return found[0]

    return wrapper


def key(auth: Any, **options: Any) -> dict[str, str]:
    return {"X-API-Key": new_key(auth, **options)}


def get(app: Any, path: str, headers: Any = (), method: str = "GET", **more: Any) -> Seen:
    return wsgi(app, method, path, list(dict(headers).items()), PEER, more)


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


def refuses(seen: Seen, caplog: pytest.LogCaptureFixture, route: str) -> None:
    """It is a 500 as others, without the answer, and the log names the route."""
    assert (seen.status, seen.one("content-type")) == (500, "application/problem+json")
    assert seen.one("cache-control") == "no-store"
    assert b"alice" not in seen.body
    assert [one for one in alarms(caplog) if route in one]
    caplog.clear()


# ---- Flask ----


def test_flask_keeps_no_caller_in_a_context_that_is_shared() -> None:
    """An application context that a module has pushed is that of all requests."""
    app = Flask("shop", static_folder=None)
    auth = gatekey.flask.Guard("memory:")
    both = threading.Barrier(2)

    @app.get("/me")
    @auth.requires()
    def me() -> list[str | None]:
        before = auth.access.subject
        both.wait(30)
        return [before, auth.access.subject]

    @app.get("/theirs")
    def theirs() -> str:
        with pytest.raises(UsageError):
            print(auth.access)
        return "nobody"

    app.register_error_handler(404, lambda _: (theirs(), 404))
    auth.install(app, public=["theirs"])
    seen: dict[str, Any] = {}

    def ask(owner: str) -> None:
        seen[owner] = get(app, "/me", key(auth, owner=owner)).json
        for path in ("/theirs", "/other"):
            seen[owner].append(get(app, path).body.decode())

    with app.app_context():  # as servers of ASGI and gevent hand it on to all requests
        runs = [(copy_context().run, owner) for owner in ("alice", "bob")]
        threads = [threading.Thread(target=run, args=[ask, owner]) for run, owner in runs]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert seen == {each: [each, each, "nobody", "nobody"] for each in ("alice", "bob")}


@pytest.fixture
def flask() -> Shop:
    app = Flask("shop", static_folder=None)
    app.testing = True
    return gatekey.flask.Guard("memory:"), app


def test_flask_caches_above_the_guard(flask: Shop, caplog: pytest.LogCaptureFixture) -> None:
    auth, app = flask
    app.get("/x")(kept(auth.requires()(lambda: "of " + str(auth.access.subject))))
    app.get("/open", endpoint="open")(kept(auth.public(lambda: "open")))
    auth.install(app)
    assert auth.api_keys is not None
    issued = auth.api_keys.create(owner="alice")
    own = {"X-API-Key": issued.secret}
    assert get(app, "/x", own).body == b"of alice"
    auth.api_keys.revoke(issued.record.id)
    for headers in ({}, own, key(auth)):
        refuses(get(app, "/x", headers), caplog, "/x (")
    refuses(get(app, "/x", method="HEAD"), caplog, "/x (")
    for _ in range(2):
        assert get(app, "/open").status == 200
    assert get(app, "/x", method="OPTIONS").status == 200
    assert not alarms(caplog)


def test_flask_answers_that_begin_with_their_first_part(
    flask: Shop,
) -> None:
    auth, app = flask
    app.get("/x")(kept(auth.requires()(lambda: "of " + str(auth.access.subject))))
    inner: Any = app.wsgi_app

    def lazy(environ: Any, start_response: Any) -> Any:
        yield from inner(environ, start_response)

    app.wsgi_app = lazy  # type: ignore[method-assign]
    auth.install(app)
    for status in (200, 500):
        told: list[str] = []
        environ = {
            **app.test_request_context("/x", headers=key(auth, owner="alice")).request.environ
        }
        body = app.wsgi_app(environ, lambda line, *_, told=told: told.append(line))
        assert (b"alice" in b"".join(body), told[0][:3]) == (status == 200, str(status))
        body.close()


def test_flask_is_silent_where_no_view_has_answered(
    flask: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    auth, app = flask

    @app.before_request
    def closed() -> str | None:
        return "back soon" if request.args else None

    @app.get("/x")
    @auth.requires()
    def x() -> str:
        return "x"

    def of_the_program(answer: Callable[[], Any]) -> Callable[..., Any]:
        return wraps(x)(lambda: answer())

    app.get("/moved", endpoint="moved")(of_the_program(lambda: redirect("/log-in")))
    app.get("/same", endpoint="same")(of_the_program(lambda: Response(status=304)))
    app.get("/gone", endpoint="gone")(of_the_program(lambda: abort(410)))
    app.get("/parts", endpoint="parts")(auth.requires()(lambda: (one for one in "abc")))
    app.get("/named", endpoint="named")(lambda: "named")
    app.after_request(lambda response: _shared(response))
    auth.install(app, public=["named"])
    own = key(auth)
    for path, headers, status in (
        ("/x", {}, 401),
        ("/x", own, 200),
        ("/moved", {}, 302),
        ("/same", {}, 304),
        ("/gone", {}, 410),
        ("/parts", own, 200),
        ("/named", {}, 200),
        ("/nowhere", {}, 404),
    ):
        seen = get(app, path, headers)
        assert (seen.status, seen.one("x-shared")) == (status, "yes"), path
    assert get(app, "/x", query="a=b").body == b"back soon"
    assert get(app, "/x", method="OPTIONS").status == 200
    assert app.test_client().get("/x", headers=own).data == b"x"
    assert not alarms(caplog)


def _shared(response: Response) -> Response:
    response.headers["X-Shared"] = "yes"
    return response


def test_flask_files_of_a_folder_that_was_made_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def build(public: list[str]) -> Flask:
        app = Flask("shop", root_path=str(tmp_path))
        gatekey.flask.Guard("memory:").install(app, public=public)
        return app

    apps = build([]), build(["static"])
    assert [get(app, "/static/a.txt").status for app in apps] == [404, 404]
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("the invoice of alice")
    refuses(get(apps[0], "/static/a.txt"), caplog, "/static/")
    assert get(apps[1], "/static/a.txt").status == 200


def test_flask_classes_of_a_public_one(flask: Shop) -> None:
    auth, app = flask

    @auth.public
    class Open(MethodView):
        def get(self) -> str:
            return "open"

    class Derived(Open):
        pass

    app.add_url_rule("/open", view_func=Open.as_view("open"))
    app.add_url_rule("/derived", view_func=Derived.as_view("derived"))
    with pytest.raises(ConfigurationError) as raised:
        auth.install(app)
    assert "/derived" in str(raised.value)
    assert "/open" not in str(raised.value)
    auth.requires()(Derived)
    app = Flask("shop", static_folder=None)
    app.add_url_rule("/open", view_func=Open.as_view("open"))
    app.add_url_rule("/derived", view_func=Derived.as_view("derived"))
    auth.install(app)
    assert [get(app, path).status for path in ("/open", "/derived")] == [200, 401]


def test_flask_views_that_call_others(flask: Shop) -> None:
    auth, app = flask
    seen: list[Any] = []
    inner: Any = auth.requires(cost=3)(lambda: "inner")
    app.get("/inner")(inner)
    opened: Any = auth.public(lambda: "open")
    usual: Any = None
    app.get("/usual", endpoint="usual")(auth.requires(cost=usual)(lambda: "usual"))
    narrow: Any = auth.requires("write")(lambda: "secret")

    @app.get("/outer")
    @auth.requires()
    def outer() -> str:
        found: str = opened() + inner() + inner() + narrow().get_data(as_text=True)
        seen.append(auth.access.subject)
        return found

    auth.install(app)
    own = key(auth, owner="alice", rate="10/60s")
    answer = get(app, "/outer", own)
    assert (answer.status, answer.body[:15], seen) == (200, b"openinnerinner{", ["alice"])
    assert b"secret" not in answer.body
    assert get(app, "/usual", own).status == 200
    assert len(answer.all("vary")) == 1
    assert [one.partition(";t")[0] for one in answer.all("ratelimit")] == ['"key";r=7']


def test_flask_a_method_that_was_changed(tmp_path: Path) -> None:
    door = OfFlask(tmp_path)

    def changed() -> None:
        request.method = request.args.get("_method", request.method)

    door.app.before_request(changed)
    jar = log_in(door.guard, scopes=["orders:read"])
    for sent, now in (("GET", "DELETE"), ("POST", "GET"), ("OPTIONS", "POST")):
        answer = door.call(
            sent,
            "/any",
            [("Cookie", jar.header), ("Access-Control-Request-Method", "POST")],
            query="_method=" + now,
        )
        assert (answer.status, answer.json["code"]) == (403, "access_denied"), (sent, now)
    door.world.close()


def test_flask_log_ins_without_a_store(tmp_path: Path) -> None:
    door = OfFlask(tmp_path)
    lose_store(door.world, [])
    lost = door.call("POST", "/log-in", [("Origin", OWN)])
    assert (lost.status, lost.one("cache-control")) == (503, "no-store")
    assert not lost.all("set-cookie")
    door.world.close()


# ---- of all ----


async def later(*_: object) -> list[str]:
    return ["admin"]


@pytest.mark.parametrize("look_up", [None, 5, "admin", later, partial(later)])
def test_former_tokens_are_looked_up_by_a_function(look_up: Any) -> None:
    with pytest.raises(TypeError, match="`look_up` must be a"):
        FormerTokens(
            SECRET, user_claim="sub", claims={"type": "access"}, until=2**33, look_up=look_up
        )


@pytest.mark.parametrize(
    ("found", "granted"),
    [
        (None, None),
        ("admin", ["admin"]),
        (["a", "b"], ["a", "b"]),
        (iter(["a"]), ["a"]),
        ({"admin": True}, TypeError),
        (b"admin", TypeError),
        (True, TypeError),
        (False, TypeError),
        (0, TypeError),
        ([5], TypeError),
        ("later", TypeError),
    ],
)
def test_former_tokens_grant_scopes_and_not_letters(found: Any, granted: Any) -> None:
    def look_up(*_: object) -> Any:
        return later() if found == "later" else found

    claims = {"type": "access"}
    former = FormerTokens(SECRET, user_claim="sub", claims=claims, until=2**33, look_up=look_up)
    auth = Guard("memory:", former=former)
    signer = Signer(SECRET, ttl=60, typ="JWT")
    token = signer.sign({"sub": "7", "type": "access"})
    headers = [(b"authorization", b"Bearer " + token.encode())]
    sent = _Request.of_asgi({"method": "GET", "path": "/", "headers": headers})
    if granted is TypeError:
        with pytest.raises(TypeError, match="`look_up`"):
            auth._decide(sent, auth.demand())
        return
    access = auth._decide(sent, auth.demand()).access
    assert (None if access is None else list(access.scopes)) == granted


def test_what_is_kept_of_requests_and_answers_shows_no_secret() -> None:
    auth = Guard("memory:", issuer=OWN, cookies=True, csrf_secret="x" * 32)
    decision = auth.start_session("alice")
    answer = Answer.of(decision)
    assert decision.tokens is not None
    asked = Asked(
        _Request.of_asgi({"method": "GET", "path": "/", "headers": []}),
        query="code=s3cret",
        cookies="a=s3cret",
        form=b"code=s3cret",
    )
    assert asked.callback == "code=s3cret"
    shown = repr((asked, answer, Answer.json({"token": "s3cret"})))
    assert "s3cret" not in shown
    assert decision.tokens.refresh_token not in shown
    assert "Set-Cookie" not in shown


def test_a_hook_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("shop", static_folder=None)
    auth = gatekey.flask.Guard("memory:", on_event=lambda _: sys.exit(3))
    app.get("/x")(auth.requires()(lambda: "x"))
    auth.install(app)
    assert get(app, "/x", key(auth)).body == b"x"
    assert "hook for events has failed" in alarms(caplog)[0]
