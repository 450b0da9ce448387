"""The routes of a guard's own: refresh, log-out, devices, keys, metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from gatekey.exceptions import AccessDeniedError, GatekeyError, UsageError
from gatekey.guard.answer import Answer
from gatekey.oauth.options import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gatekey import OAuthClient
    from gatekey._core import Access, Sessions, _Decision, _Request
    from gatekey.guard.base import Guard

    _Handle = Callable[[Guard, "Asked"], Answer]

SHORT = ("Cache-Control", "public, max-age=300")
"""For what is public: clients fetch keys again when they see an unknown one."""


@dataclass(frozen=True)
class Asked:
    """A request to one of these routes."""

    request: _Request
    family: str = ""
    """What stands in the path for ``{family}``."""
    query: str = field(default="", repr=False)
    cookies: str = field(default="", repr=False)
    """The ``Cookie`` header; several of them joined with ``; ``."""
    form: bytes = field(default=b"", repr=False)
    """The body, where the route takes a form. No page about an error shows what is secret here."""

    @property
    def callback(self) -> str:
        """What a provider has answered: the query, or the form."""
        return self.form.decode("utf-8", "replace") if self.form else "?" + self.query


@dataclass(frozen=True)
class OwnRoute:
    """A route that ``install`` adds. ``path`` may end in ``{family}``."""

    name: str
    method: str
    path: str
    handle: _Handle
    takes_form: bool = False
    """Whether the body is read: a form of at most ``LONGEST_FORM`` bytes, or nothing of it."""

    def answer(self, guard: Guard, asked: Asked) -> Answer:
        """Answer a request. May wait."""
        try:
            return self.handle(guard, asked)
        except GatekeyError as error:  # the store is gone, for example
            return Answer.of(guard._refused(asked.request, error.number))


def own_routes(guard: Guard, prefix: str) -> list[OwnRoute]:
    """Give those for what the guard has, below `prefix`, with or without a slash before it."""
    prefix = f"/{text(prefix, 'prefix').strip('/')}".rstrip("/")
    found: list[OwnRoute] = []
    if guard.sessions is not None and guard.cookies is not None:
        found += [
            OwnRoute("gatekey_refresh", "POST", f"{prefix}/refresh", _refresh),
            OwnRoute("gatekey_log_out", "POST", f"{prefix}/log-out", _log_out),
        ]
    if guard.sessions is not None:
        found += [
            OwnRoute(
                "gatekey_log_out_everywhere", "POST", f"{prefix}/log-out-everywhere", _everywhere
            ),
            OwnRoute("gatekey_log_out_others", "POST", f"{prefix}/log-out-others", _others),
            OwnRoute("gatekey_devices", "GET", f"{prefix}/devices", _devices),
            OwnRoute("gatekey_end_device", "DELETE", f"{prefix}/devices/{{family}}", _end_device),
        ]
    for provider, client in guard.oauth.items():
        at = f"{prefix}/{provider}"
        begin, finish = partial(_begin, client=client), partial(_finish, provider, client)
        found += [
            OwnRoute(f"gatekey_log_in_{provider}", "GET", f"{at}/log-in", begin),
            OwnRoute(f"gatekey_callback_{provider}", "GET", f"{at}/callback", finish),
            # Of providers that answer by a form (Apple).
            OwnRoute(f"gatekey_answer_{provider}", "POST", f"{at}/callback", finish, True),
        ]
    if guard.key_ring is not None:
        found.append(OwnRoute("gatekey_jwks", "GET", "/.well-known/jwks.json", _jwks))
    if guard.tokens is not None:
        path = guard._core.metadata_path or "/.well-known/oauth-protected-resource"
        found.append(OwnRoute("gatekey_metadata", "GET", path, _metadata))
    return found


def _refresh(guard: Guard, asked: Asked) -> Answer:
    decision = guard._refresh(asked.request)
    if not decision.is_allowed:
        return Answer.of(decision)
    tokens = decision.tokens
    about = tokens and {"expires_in": tokens.expires_in, "expires_at": tokens.expires_at}
    return Answer.json(about, decision.headers)


def _log_out(guard: Guard, asked: Asked) -> Answer:
    decision = guard._log_out(asked.request)
    return Answer.nothing(decision.headers) if decision.is_allowed else Answer.of(decision)


def _by_session(work: Callable[[Guard, Sessions, Access, str], Answer], **demands: Any) -> _Handle:
    """Answer requests with a session alone."""

    def handle(guard: Guard, asked: Asked) -> Answer:
        decision = guard._decide(asked.request, guard.demand(kinds="session", **demands))
        access, sessions = decision.access, guard.sessions
        if access is None or sessions is None:
            return Answer.of(decision)
        answer = work(guard, sessions, access, asked.family)
        own = [pair for pair in answer.headers if pair[0] != "Vary"]
        return Answer(answer.status, (_vary(decision), *own), answer.body)

    return handle


def _vary(decision: _Decision) -> tuple[str, str]:
    return next(pair for pair in decision.headers if pair[0] == "Vary")


def _cleared(guard: Guard) -> list[tuple[str, str]]:
    cookies = [] if guard.cookies is None else guard.cookies.clear()
    return [("Cache-Control", "no-store"), *(("Set-Cookie", value) for value in cookies)]


def _end_everywhere(guard: Guard, sessions: Sessions, access: Access, _: str) -> Answer:
    sessions.end_all(access.subject or "")
    return Answer.nothing(_cleared(guard))


def _end_others(_: Guard, sessions: Sessions, access: Access, __: str) -> Answer:
    # Of a session that has ended meanwhile no other is ended.
    sessions.end_all(access.subject or "", but=access.session or "")
    return Answer.nothing([("Cache-Control", "no-store")])


def _list_devices(_: Guard, sessions: Sessions, access: Access, __: str) -> Answer:
    devices = [
        {
            "id": record.family,
            "client": record.client,
            "created_at": record.created_at,
            "last_seen_at": record.last_seen_at,
            "expires_at": record.expires_at,
            "is_this": record.family == access.session,
        }
        for record in sessions.list(access.subject or "")
        if not record.altered
    ]
    return Answer.json({"devices": devices})


def _end_one(_: Guard, sessions: Sessions, access: Access, family: str) -> Answer:
    sessions.end_by_id(family, access.subject or "")
    return Answer.nothing([("Cache-Control", "no-store")])


_everywhere = _by_session(_end_everywhere)
_others = _by_session(_end_others)
_devices = _by_session(_list_devices)
_end_device = _by_session(_end_one)


def _begin(_: Guard, asked: Asked, client: OAuthClient) -> Answer:
    return_to = dict(parse_qsl(asked.query)).get("return_to", "/")
    try:
        begun = client.begin(return_to=return_to, cookies=asked.cookies)
    except UsageError:  # it is too long for the cookie
        begun = client.begin(return_to="/", cookies=asked.cookies)
    return _redirect(begun.url, begun.set_cookies)


def _finish(provider: str, client: OAuthClient, guard: Guard, asked: Asked) -> Answer:
    """Finish a log-in that this browser has begun; of another browser's nothing is changed."""
    try:
        login = client.finish(asked.callback, asked.cookies)
    except GatekeyError as error:
        return _over(guard, asked, error.number, client)
    subject = guard.user_of_login(provider, login)
    if subject is None:
        return _over(guard, asked, AccessDeniedError.number, client)
    about: dict[str, Any] = {"subject": subject} if isinstance(subject, str) else dict(subject)
    decision = guard._log_in(asked.request, about.pop("subject"), **about)
    session = [value for name, value in decision.headers if name == "Set-Cookie"]
    redirect = _redirect(login.return_to, [*login.set_cookies, *session])
    return Answer(redirect.status, (_vary(decision), *redirect.headers))


def _over(guard: Guard, asked: Asked, number: int, client: OAuthClient) -> Answer:
    """Refuse, and end this log-in alone."""
    refused = Answer.of(guard._refused(asked.request, number))
    over = client.end_login(asked.callback)
    cookies = [] if over is None else [("Set-Cookie", over)]
    return Answer(refused.status, (*refused.headers, *cookies), refused.body)


def _redirect(url: str, cookies: Iterable[str]) -> Answer:
    set_cookies = (("Set-Cookie", value) for value in cookies)
    return Answer(302, (("Location", url), ("Cache-Control", "no-store"), *set_cookies))


def _jwks(guard: Guard, _: Asked) -> Answer:
    ring = guard.key_ring
    assert ring is not None  # noqa: S101 - the route is there only with one
    return Answer.json(ring.to_jwks(), [SHORT])


def _metadata(guard: Guard, _: Asked) -> Answer:
    return Answer.json(json.loads(guard._core.metadata_json()), [SHORT])
