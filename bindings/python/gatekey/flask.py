"""The guard for Flask.

::

    from gatekey.flask import Guard

    app = Flask(__name__)
    auth = Guard("sqlite:///auth.sqlite", issuer="https://shop.example", cookies=True)
    auth.install(app)

    @app.get("/orders")
    @auth.requires("orders:read")  # below the route
    def orders():
        return {"subject": auth.access.subject}
"""

from __future__ import annotations

from functools import wraps
from inspect import isclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Blueprint, Flask, Response, after_this_request, current_app, request
from werkzeug.exceptions import HTTPException

from gatekey._core import Access, _Request
from gatekey.exceptions import ConfigurationError
from gatekey.guard import door
from gatekey.guard.answer import NO_STORE, Answer, cookies_of, joined
from gatekey.guard.base import FORM, mark_of, marked, tokens_of, unguarded
from gatekey.guard.course import COURSE, Course, is_open, stricter
from gatekey.guard.door import LONGEST_FORM, access_of
from gatekey.guard.given import app_of, names_of
from gatekey.guard.pending import PENDING, Pending, check_guard, installed_twice, not_installed
from gatekey.guard.routes import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Unpack

    from gatekey._core import SessionTokens, _Decision, _Demand
    from gatekey.guard.base import Demands
    from gatekey.guard.routes import OwnRoute

    _Again = Callable[[int], tuple[_Demand, int]]

T = TypeVar("T")
EXTENSION = "gatekey"
"""The name in `app.extensions` of the guard that is installed."""

__all__ = ["Access", "Guard"]


class Guard(door.Guard):
    """One decision at every door of a Flask application; see :class:`gatekey.guard.Guard`.

    ``requires`` and ``public`` stand below ``@app.route``; above it they raise ConfigurationError.
    """

    _app: Flask | None = None
    _is_wsgi = True

    @property
    def access(self) -> Access:
        """Who calls: what was decided about this request.

        :raises UsageError: nothing was decided about it.
        """
        return access_of(_course().decision)

    def install(self, app: Flask, *, prefix: str = "/auth", public: Iterable[str] = ()) -> None:
        """Add the guard's own routes, and look at all others.

        Routes are looked at now, and again before the next request when there are more: without
        ``requires`` and ``public`` there is a ConfigurationError, and no request is answered. Call
        it last, and the program does not start.

        :param prefix: where refresh, log-out and devices are.
        :param public: names of endpoints that are public, such as ``static``.
        """
        app_of(app, Flask, "flask.Flask")
        names = names_of(public, "public")
        if EXTENSION in app.extensions:
            raise installed_twice()
        for route in self.own_routes(prefix):
            self._add(app, route)
        self._app = app
        seen = _Seen(self, app, names)
        seen.check()
        app.extensions[EXTENSION] = self
        app.dispatch_request = _led(self, app, names)  # type: ignore[method-assign]
        app.wsgi_app = _doors(self, app, seen)  # type: ignore[method-assign]

    def log_in(
        self,
        response: Response,
        subject: str,
        *,
        scopes: str | Iterable[str] = (),
        claims: Mapping[str, object] | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> SessionTokens:
        """Start the session of a subject that has logged in; the response sets its cookies.

        :param scopes: what its access tokens grant.
        :param claims: what else they say.
        :param meta: the program's own notes.
        :raises HTTPException: the store is out of reach: Flask answers that.
        """
        pending = _pending()
        own = request_of()
        client = request.headers.get("User-Agent")
        decision = self._begun(own, subject, scopes=scopes, claims=claims, client=client, meta=meta)
        if not decision.is_allowed:
            raise HTTPException(response=response_of(Answer.of(decision)))
        pending.add(decision.headers, is_log_in=True)
        _set(response, decision)
        return tokens_of(decision)

    def log_out(self, response: Response) -> Response:
        """End the session of the request, and give the response, which clears its cookies.

        :raises HTTPException: there is no session, or the request is not of a page of this
            service: Flask answers the refusal.
        """
        pending = _pending()
        decision = self._log_out(request_of())
        if not decision.is_allowed:
            raise HTTPException(response=response_of(Answer.of(decision)))
        pending.add(decision.headers)
        _set(response, decision)
        return response

    def form_token(self, response: Response) -> str:
        """Give the CSRF token of a page with a log-in form; the response sets its cookie.

        Only browsers of before 2023 need it, where the form's route is ``public(own_pages=True)``.
        """
        pending = _pending()
        token, set_cookie = self._core.form_token(request_of())
        if set_cookie is not None:
            pending.add([("Set-Cookie", set_cookie)])
            response.headers.add("Set-Cookie", set_cookie)
        return token

    def requires(self, *scopes: str, **demands: Unpack[Demands]) -> Callable[[T], T]:
        """Guard a view; see :meth:`gatekey.guard.door.Guard.requires`.

        A guarded view that calls another takes of a key what the dearer one costs.
        """
        demand = self.demand(*scopes, **demands)
        given: int | None = demands.get("cost")
        cost = 1 if given is None else given

        def again(paid: int) -> tuple[_Demand, int]:
            left = max(0, cost - paid)
            more = demands | {"cost": left}
            return (self.demand(*scopes, **more) if paid else demand), left

        return lambda view: self._guarding(view, demand, again)

    # ---- how ----

    def _guarding(self, view: T, demand: _Demand, again: _Again | None = None) -> T:
        if mark_of(view) is not None:
            raise ConfigurationError("A view has two guards; say all that it demands in one.")
        call: Any = view
        if isclass(call):
            own: Any = call
            mine = [*own.decorators, lambda made: self._guarding(made, demand, again)]
            own.decorators = _Of(own, own.decorators, mine) if demand.is_public else mine
            return view
        if not callable(call):
            raise TypeError(f"`requires(...)` guards a function, not {type(view).__name__}")
        self._refuse_route(call)

        @wraps(call)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._check_installed()
            course = _course()
            wanted, cost = (demand, 0) if again is None else again(course.paid)
            decision = self._decide(self._request(), wanted)
            before, is_first = course.decision, not course.allowed
            course.note(decision)
            try:
                if not decision.is_allowed:
                    return response_of(Answer.of(decision))
                course.paid += cost
                if is_first:
                    after_this_request(lambda response: _with(response, course))
                return current_app.ensure_sync(call)(*args, **kwargs)
            finally:
                if not is_first:  # it was called by another view, which goes on
                    course.decision = before

        return cast("T", marked(wrapper, demand))

    def _check_installed(self) -> None:
        """Look whether it is the guard of this application, or of one that this is mounted in."""
        pending = request.environ.get(PENDING)
        if pending is None and (there := current_app.extensions.get(EXTENSION)) is not None:
            pending = Pending(there)  # without a server, in a `test_request_context`
        check_guard(self, pending, "call `auth.install(app)`")

    def _request(self) -> _Request:
        field = None
        if self.csrf_form_field and request.mimetype == FORM:
            field = request.form.get(self.csrf_form_field)
        return request_of(field)

    def _refuse_route(self, view: Callable[..., Any]) -> None:
        """Refuse a decorator above `@app.route`: the route has the function without the guard."""
        around = list(getattr(view, "__globals__", {}).values())
        apps = [self._app, *(one for one in around if issubclass(type(one), Flask | Blueprint))]
        if any(_has(app, view) for app in apps if app is not None):
            name = getattr(view, "__name__", "a view")
            raise ConfigurationError(
                f"The guard of `{name}` stands above its route, which has the function without it: "
                "put `@app.route(...)` above `@auth.requires(...)`."
            )

    def _add(self, app: Flask, route: OwnRoute) -> None:
        def view(family: str = "") -> Response:
            environ = request.environ
            is_read = route.takes_form and 0 < (request.content_length or 0) <= LONGEST_FORM
            asked = Asked(  # no variable has what is secret: reports of errors show them
                request_of(),
                family,
                environ.get("QUERY_STRING", ""),
                environ.get("HTTP_COOKIE", ""),
                request.get_data() if is_read else b"",
            )
            return response_of(route.answer(self, asked))

        marked(view, self.open_demand())
        path = route.path.replace("{family}", "<family>")
        app.add_url_rule(path, route.name, view, methods=[route.method])


class _Seen:
    """The routes that were looked at."""

    def __init__(self, guard: Guard, app: Flask, public: frozenset[str]) -> None:
        self._guard, self._app, self._public = guard, app, public
        self._views: tuple[int, ...] = ()

    def check(self) -> None:
        """Look again when there are others.

        :raises ConfigurationError: one has no guard.
        """
        views = tuple(map(id, self._app.view_functions.values()))
        if views != self._views:
            without = list(_without(self._app, self._public))
            if without:
                raise unguarded(without)
            self._views = views


def _without(app: Flask, public: frozenset[str]) -> Iterator[str]:
    """Name the routes that have no guard."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        is_empty = rule.endpoint == "static" and not _has_static_files(app)
        if mark_of(view) is None and rule.endpoint not in public and not is_empty:
            yield f"{rule.rule} ({rule.endpoint})"


def _has_static_files(app: Flask) -> bool:
    """Tell whether the folder that Flask has a route for by itself is there."""
    from pathlib import Path

    return app.static_folder is not None and Path(app.static_folder).exists()


class _Of:
    """The decorators of a class that is public: those derived from it must say so themselves."""

    def __init__(self, owner: type, plain: Any, mine: Any) -> None:
        self._owner, self._plain, self._mine = owner, plain, mine

    def __get__(self, _: object, owner: type) -> Any:
        return self._mine if owner is self._owner else self._plain


def _led(guard: Guard, app: Flask, public: frozenset[str]) -> Callable[..., Any]:
    """Give what calls views, which notes those that are not open to all callers."""
    inner = app.dispatch_request

    def dispatch_request(*context: Any) -> Any:
        rule = request.url_rule
        course: Course | None = request.environ.get(COURSE)
        if course is not None and rule is not None:
            view = app.view_functions.get(rule.endpoint)
            if rule.endpoint not in public and not is_open(view):
                method = stricter(course.method, request.method)
                course.led_to(guard, f"{rule.rule} ({rule.endpoint})", method)
        return inner(*context)

    return dispatch_request


def _doors(guard: Guard, app: Flask, seen: _Seen) -> Any:
    """Give what stands around an application: it looks at what comes, and at what leaves."""
    inner = app.wsgi_app

    def doors(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.check()
        pending = environ[PENDING] = Pending(guard, environ.get(PENDING))
        course = environ[COURSE] = Course(environ["REQUEST_METHOD"])
        instead: list[Iterable[bytes]] = []
        is_started = False

        def starting(status: str, headers: Any, *more: Any) -> Any:
            nonlocal is_started
            is_started = True
            if course.lacks_decision(int(status[:3])):
                refused = response_of(course.refused(_Request.of_wsgi(environ)))
                instead.append(refused(environ, start_response))
                return lambda _: None  # the answer is not written
            return start_response(status, _leaving(status, headers, pending), *more)

        body = inner(environ, starting)
        return body if is_started and not instead else _Body(body, instead)

    return doors


class _Body:
    """The body of an answer, or of what is sent instead; servers close it."""

    def __init__(self, body: Iterable[bytes], instead: list[Iterable[bytes]]) -> None:
        self._body, self._instead = body, instead

    def __iter__(self) -> Iterator[bytes]:
        for part in self._body:  # some start their answer with the first part
            if self._instead:
                break
            yield part
        for one in self._instead:
            yield from one

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _has(app: Flask | Blueprint, view: Callable[..., Any]) -> bool:
    if view in app.view_functions.values():
        return True
    deferred = getattr(app, "deferred_functions", ())
    cells = (cell for one in deferred for cell in getattr(one, "__closure__", None) or ())
    return any(cell.cell_contents is view for cell in cells if _is_set(cell))


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def request_of(field: str | None = None) -> _Request:
    """Give the request as the server has it, with the CSRF token of a form."""
    environ = request.environ
    method = stricter(environ["REQUEST_METHOD"], request.method)
    if method != environ["REQUEST_METHOD"]:
        environ = environ | {"REQUEST_METHOD": method}
    return _Request.of_wsgi(environ, field)


def _course() -> Course:
    """Give what was decided about the request. Without a server nothing is there yet."""
    course: Course = request.environ.setdefault(COURSE, Course())
    return course


def response_of(answer: Answer) -> Response:
    """Make a response, with its headers as they are."""
    response = Response(answer.body, answer.status)
    for name in ("Content-Type", "Content-Length") if answer.status == 204 else ("Content-Type",):
        response.headers.pop(name, None)
    for name, value in answer.headers:
        response.headers.add(name, value)
    return response


def _pending() -> Pending:
    """Give what the answer to this request must set.

    :raises UsageError: it has begun, or no guard is installed.
    """
    if EXTENSION not in current_app.extensions:
        raise not_installed("call `auth.install(app)`")
    # Without a server, in a `test_request_context`, there is none yet.
    pending: Pending = request.environ.setdefault(PENDING, Pending())
    pending.check()
    return pending


def _leaving(
    status: str, headers: list[tuple[str, str]], pending: Pending
) -> list[tuple[str, str]]:
    """Add the cookies that are missing to the headers of an answer."""
    there = [value for name, value in headers if name.lower() == "set-cookie"]
    added = pending.leaving(int(status[:3]), there)
    if added is None:
        return headers
    kept = [pair for pair in headers if pair[0].lower() != "cache-control"]
    return [*kept, NO_STORE, *(("Set-Cookie", value) for value in added)]


def _set(response: Response, decision: _Decision) -> None:
    for name, value in cookies_of(decision.headers):
        response.headers.add(name, value)


def _with(response: Response, course: Course) -> Response:
    """Add what goes with an answer: the names of `Vary` to the application's own, and rates."""
    vary, others = course.headers()
    for names in vary:
        response.headers["Vary"] = joined(response.headers.getlist("Vary"), names)
    for name, value in others:
        response.headers.add(name, value)
    return response
