"""`Guard`: what the guards of all frameworks have in common."""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, TypeVar

from gatekey._core import (
    Csrf,
    KeyRing,
    SessionCookies,
    Sessions,
    Signer,
    Store,
    _Decision,
    _Demand,
    _Guard,
    _Request,
)
from gatekey.exceptions import ConfigurationError, UsageError
from gatekey.guard.events import LOG, Event, Events
from gatekey.guard.former import found_in, looked_up
from gatekey.guard.given import (
    DEFAULT_TTL,
    NAMES_COLLAPSE,
    check_demands,
    check_options,
    check_scopes,
    environment_of,
    remote_of,
    subject_of,
)
from gatekey.guard.settings import beside, csrf_secret_at, options_of, without_idle
from gatekey.oauth import ResourceServer
from gatekey.oauth.options import listed, mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import Self

    from gatekey import aio
    from gatekey._core import (
        ApiKeys,
        FinishedLogin,
        Key,
        KeySet,
        Revocations,
        SessionTokens,
        _Clock,
        _RemoteKeySet,
        _Seconds,
    )
    from gatekey.guard.events import _Kind
    from gatekey.guard.former import FormerTokens, _Found, _User
    from gatekey.guard.routes import OwnRoute
    from gatekey.oauth import DoorRule, OAuthClient, RemoteKeySet

    _OAuthUser = Callable[[str, FinishedLogin], str | Mapping[str, Any] | None]

MARK = "__gatekey__"
"""The attribute of a route's function that holds what is demanded."""
FORM = "application/x-www-form-urlencoded"
"""The type of a form whose fields are looked at: its size is bounded by the framework."""
ALL_KINDS = {"api_key", "session", "jwt", "opaque"}
_T = TypeVar("_T")
# RFC 6749 section 3.3.
_SCOPE = re.compile(r"[!#-\[\]-~]+")


class Demands(TypedDict, total=False):
    """What a route can demand, apart from scopes."""

    any_of: str | Iterable[str]
    """One of these scopes."""
    kinds: str | Iterable[str]
    """What is taken: of ``api_key``, ``session``, ``jwt``, ``opaque``; everything unless given."""
    tenant: str
    """What the caller must belong to."""
    claims: Mapping[str, object]
    """Values that claims of the token must have."""
    acr_values: str | Iterable[str]
    """One of these must be how the user signed in (RFC 9470)."""
    max_age: _Seconds
    """How long ago the user signed in, at the most."""
    fresh: bool
    """Whether the access token must be that of the log-in, not of a refresh."""
    cost: int
    """What it takes of an API key's rate and credits; 1 unless given."""
    limits: Mapping[str, str]
    """Names and rates for each address, such as ``{"log-in": "5/min"}``. Routes that name the same
    limit count together."""
    csrf_always: bool
    """Whether a cookie needs a CSRF token for harmless methods, too."""
    danger_no_csrf: bool
    """Whether a cookie needs none at all."""
    own_pages: bool
    """Whether callers who are not known, if they are let in, change something from pages of this
    service alone."""
    optional: bool
    """Whether callers without a credential are let in, and known as anonymous."""
    pair: str | Iterable[str]
    """The kinds of a second credential that must also be there."""
    same_tenant: bool
    """Whether the two must be of one tenant."""
    same_subject: bool
    """Whether the two must be of one subject."""


class Guard:
    """One decision at every door of a service; the base of the guards for frameworks.

    ``gatekey.fastapi``, ``.starlette``, ``.litestar``, ``.aiohttp``, ``.flask``, ``.django`` and
    ``.drf`` each have a ``Guard`` with the options of this one.
    """

    _is_wsgi: ClassVar[bool] = False
    """Whether names of headers collapse on their way to it, whatever the server."""

    def __init__(
        self,
        store: Store | str | os.PathLike[str] | None = None,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        issuers: Mapping[
            str, DoorRule | RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key] | None
        ]
        | None = None,
        tokens: ResourceServer | aio.ResourceServer | None = None,
        api_keys: ApiKeys | bool = True,
        sessions: Sessions | bool | None = None,
        key_ring: KeyRing | None = None,
        token_ttl: _Seconds = DEFAULT_TTL,
        cookies: SessionCookies | bool = False,
        csrf_secret: str | bytes | None = None,
        csrf_secret_file: str | os.PathLike[str] | None = None,
        public_url: str | None = None,
        origins: str | Sequence[str] = (),
        trusted_proxies: str | Sequence[str] = (),
        forwarded_header: str | None = None,
        exact_names: bool = False,
        api_key_header: str = "X-API-Key",
        csrf_header: str = "X-CSRF-Token",
        csrf_form_field: str | None = None,
        realm: str | None = None,
        metadata_url: str | None = None,
        ipv6_prefix: int | None = None,
        limits: str | None = None,
        revocations: Revocations | None = None,
        oauth: Mapping[str, OAuthClient] | None = None,
        oauth_user: _OAuthUser | None = None,
        former: FormerTokens | None = None,
        on_event: Callable[[Event], object] | None = None,
        pepper_file: str | os.PathLike[str] | None = None,
        clock: _Clock | None = None,
        danger_allow_http: bool = False,
    ) -> None:
        """Take what the service has.

        :param store: where API keys and sessions are kept: a :class:`gatekey.Store`, or its URL or
            path, which is opened with ``pepper_file`` and ``clock``.
        :param issuer: the name of this service as the issuer of its own sessions' tokens: its URL.
        :param audience: the identifier of this API, which tokens must name: its URL.
        :param issuers: other issuers whose tokens are accepted, as :class:`gatekey.ResourceServer`
            takes them; ``None`` for the keys that the issuer's metadata lead to.
        :param tokens: a resource server that says whose tokens are accepted, and how, instead of
            ``audience`` and ``issuers``; with its ``introspection``, opaque tokens, too.
        :param api_keys: the store's with the prefix ``gk_live_`` unless others are given; ``False``
            for none.
        :param sessions: this service's log-ins. Made unless given, if ``issuer`` or ``cookies``
            are: access tokens live for ``token_ttl`` seconds, and are signed with ``key_ring``, the
            store's unless given.
        :param cookies: whether browsers have their session in cookies, and in which.
        :param csrf_secret: 32 random bytes, the same in all processes; or in ``csrf_secret_file``.
            Without either, in a file beside a SQLite store, made with it.
        :param public_url: where users find this service: its origin, where requests of its own
            pages come from.
        :param origins: more origins of this service's own pages.
        :param trusted_proxies: networks of proxies that are believed whom they speak for, by
            ``forwarded_header``, ``X-Forwarded-For`` unless given; ``unix`` for a Unix socket.
        :param exact_names: whether the WSGI server drops headers with an underscore in their name,
            as gunicorn does from version 22 on.
        :param csrf_form_field: in which field forms of pages without scripts send the CSRF token.
            Read of forms that are not ``multipart``, and have at most 64 KiB.
        :param realm: what challenges name.
        :param metadata_url: where this API's metadata are (RFC 9728), for challenges.
        :param ipv6_prefix: how many bits of an IPv6 address are one caller of limits; 64.
        :param limits: where limits and rates are counted together with other machines, as of
            :meth:`gatekey.Store.open`; unless given, where ``store`` says, or by each process.
        :param revocations: of tokens of other issuers.
        :param oauth: names of providers and their clients, for log-ins by them, at
            ``/auth/<name>/log-in``, and ``.../callback``, the ``redirect_uri`` of the client.
        :param oauth_user: is called with the name and the :class:`gatekey.FinishedLogin`, and gives
            the subject, or a mapping of the arguments of ``start_session``; ``None`` refuses.
        :param former: access tokens of what the service had before, until a date; those of
            djangorestframework-simplejwt by :func:`gatekey.simplejwt.former_tokens`.
        :param on_event: is called with a :class:`gatekey.guard.Event` after each decision, log-in,
            refresh and log-out; on event loops in another thread. What it raises is logged.
        :param danger_allow_http: for development without HTTPS: cookies are not ``Secure``.
        :raises ConfigurationError: no caller would be let in, or an option is not acceptable.
        """
        check_options(locals())
        self._has_proxies = bool(listed(trusted_proxies, "trusted_proxies"))
        self._trusts_blindly = self._has_proxies and not exact_names
        if self._is_wsgi and self._trusts_blindly:
            raise ConfigurationError(NAMES_COLLAPSE)
        if danger_allow_http:
            LOG.warning(
                "cookies are sent over HTTP (`danger_allow_http`): for development alone, never in "
                "production"
            )
        self._owns_store = store is not None and not isinstance(store, Store)
        self.store: Store | None
        if store is None or isinstance(store, Store):
            self.store = store
        else:
            self.store = Store.open(store, pepper_file=pepper_file, limits=limits, clock=clock)
        self.api_keys = self._api_keys(api_keys)
        self.key_ring = key_ring
        if sessions is None:
            sessions = issuer is not None or cookies not in (None, False)
        self.sessions: Sessions | None
        if isinstance(sessions, bool):
            self.sessions = self._sessions(issuer, audience, token_ttl) if sessions else None
        else:
            self.sessions = sessions
        self.cookies: SessionCookies | None
        if isinstance(cookies, bool):
            made = self._csrf(csrf_secret, csrf_secret_file) if cookies else None
            self.cookies = made and SessionCookies(made, danger_allow_http=danger_allow_http)
        else:
            self.cookies = cookies
        self._is_given_tokens = tokens is not None
        self.tokens = tokens or self._tokens(audience, issuers, clock)
        given: Any = self.tokens
        server: ResourceServer | None = getattr(given, "sync", given)
        own = [public_url] if public_url else []
        if metadata_url is None and public_url and server is not None and server.metadata_path:
            metadata_url = public_url.rstrip("/") + server.metadata_path
        self._events = Events(on_event)
        self._former = former
        if former is not None and former.is_over(_now(clock)):
            LOG.warning("the date of former tokens is over: all are refused, leave out `former`")
        self._remote = [] if server is None else remote_of(*server._fetches)
        self._core = _Guard(
            api_keys=self.api_keys,
            sessions=self.sessions,
            tokens=None if server is None else server._core,
            former=None if former is None else former._core,
            revocations=revocations,
            cookies=self.cookies,
            origins=[*(origin_of(url) for url in own), *(listed(origins, "origins") or [])],
            trusted_proxies=trusted_proxies,
            forwarded_header=forwarded_header,
            exact_names=exact_names,
            api_key_header=api_key_header,
            csrf_header=csrf_header,
            realm=realm,
            metadata_url=metadata_url,
            ipv6_prefix=ipv6_prefix,
            limits=None if self._owns_store else limits,
            clock=clock,
        )
        self.issuer = issuer
        self.api_key_header = api_key_header
        self.csrf_form_field = csrf_form_field
        self.issuers = tuple(issuers or ())
        self.oauth = mapped(oauth, "oauth") or {}
        self._oauth_user = oauth_user
        if self.oauth and (oauth_user is None or self.cookies is None):
            raise ConfigurationError(
                "Log-ins by providers (`oauth`) need `oauth_user`, which gives the user of each, "
                "and `cookies`."
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:
        """Take the options of the environment, and those that are given instead of them.

        ``GATEKEY_STORE``, ``GATEKEY_PEPPER_FILE``, ``GATEKEY_ISSUER``, ``GATEKEY_AUDIENCE``,
        ``GATEKEY_CSRF_SECRET_FILE``, ``GATEKEY_TRUSTED_PROXIES`` (a list), ``GATEKEY_PUBLIC_URL``.
        The files of secrets are left alone where nothing needs them: of a store that is given open,
        and of cookies that the guard does not make.

        :raises ConfigurationError: none of them is set, or one that is set is nearly one of these.
        """
        found = options_of(os.environ if environ is None else environment_of(environ))
        return cls(**{**without_idle(found, options), **options})

    # ---- what it is made of ----

    def _api_keys(self, given: ApiKeys | bool) -> ApiKeys | None:
        if not isinstance(given, bool):
            return given
        return self.store.api_keys() if given and self.store is not None else None

    def _sessions(self, issuer: str | None, audience: str | None, token_ttl: _Seconds) -> Sessions:
        if self.store is None:
            raise ConfigurationError("Sessions need a `store`; or pass `sessions`.")
        if self.key_ring is None:
            self.key_ring = self.store.key_ring(token_ttl=token_ttl)
        signer = Signer(
            self.key_ring,
            issuer=issuer,
            audience=audience,
            ttl=token_ttl,
            typ="at+jwt",
        )
        return self.store.sessions(signer=signer)

    def _csrf(self, secret: str | bytes | None, file: str | os.PathLike[str] | None) -> Csrf:
        if secret is not None and file is not None:
            raise ConfigurationError("Give one of `csrf_secret` and `csrf_secret_file`.")
        if secret is None:
            secret = self._kept_secret(file)
        return Csrf(secret)

    def _kept_secret(self, file: str | os.PathLike[str] | None) -> bytes:
        url = "" if self.store is None else self.store.url
        if file is None and url.startswith("memory:"):
            return secrets.token_bytes(32)
        path = beside(url) if file is None else Path(file)
        if path is None:
            raise ConfigurationError(
                "Cookies need a secret for CSRF tokens that all processes share: pass "
                "`csrf_secret_file` or `csrf_secret`."
            )
        return csrf_secret_at(path)

    def _tokens(
        self,
        audience: str | None,
        issuers: Mapping[str, Any] | None,
        clock: _Clock | None,
    ) -> ResourceServer | None:
        if issuers is not None and audience is None:
            raise ConfigurationError(
                "Tokens of other issuers must name this API: pass its identifier as `audience`."
            )
        if audience is None or (issuers is None and self.api_keys is None):
            return None
        return ResourceServer(audience, issuers=issuers, api_keys=self.api_keys, clock=clock)

    # ---- what it does ----

    def demand(self, *scopes: str, **more: Any) -> _Demand:
        """Make what a route demands; see :class:`Demands`.

        :raises ConfigurationError: no caller of this guard can ever meet it.
        """
        check_scopes(scopes)
        check_demands(more, Demands.__annotations__)
        always, never = more.pop("csrf_always", False), more.pop("danger_no_csrf", False)
        if always and never:
            raise ConfigurationError("`csrf_always` and `danger_no_csrf` contradict each other.")
        csrf: Literal["always", False] | None = "always" if always else False if never else None
        return self._checked(_Demand(scopes=scopes, csrf=csrf, **more))

    def open_demand(
        self, *, limits: Mapping[str, str] | None = None, own_pages: bool = False
    ) -> _Demand:
        """Make what a route demands that is open to all callers.

        :raises ConfigurationError: another route gives one of the limits another rate.
        """
        check_demands({"own_pages": own_pages}, Demands.__annotations__)
        return self._checked(_Demand(public=True, limits=limits, own_pages=own_pages))

    def _checked(self, demand: _Demand) -> _Demand:
        self._core.check_demand(demand)
        return demand

    def _decide(self, request: _Request, demand: _Demand) -> _Decision:
        """Decide where it may wait."""
        with Watch(self, request) as watch:
            user = looked_up(self, found_in(self, request))
            return watch.noted(self._core.check(request, demand, user))

    async def _look_up(self, found: _Found) -> _User | None:
        """Look up the user of a former token, on a loop."""
        from gatekey.aio.pool import STORES

        return await STORES.run(looked_up, self, found)

    def _refresh(self, request: _Request) -> _Decision:
        """Exchange the refresh cookie of a request."""
        with Watch(self, request) as watch:
            return watch.noted(self._core.refresh(request), "refreshed")

    def _log_out(self, request: _Request) -> _Decision:
        """End the session of a request."""
        with Watch(self, request) as watch:
            return watch.noted(self._core.log_out(request), "logged_out")

    def _refused(self, request: _Request, number: int) -> _Decision:
        """Refuse a request because of an error of this number."""
        with Watch(self, request) as watch:
            return watch.noted(self._core.refuse(number, self.open_demand()))

    def _log_in(self, request: _Request | None, subject: str, **about: Any) -> _Decision:
        """Start a session, of what a request has proved otherwise."""
        subject_of(subject)
        own = mapped(about.pop("claims", None), "claims") or {}
        granted = listed(about.pop("scopes", ()), "scopes") or []
        if wrong := [scope for scope in granted if not _SCOPE.fullmatch(scope)]:
            given = f"{wrong[0]!r:.60}"
            raise UsageError(f"scopes: {given} is no scope: without spaces, quotes, backslashes.")
        if granted and "scope" in own:
            raise UsageError("The scopes are given twice: by `scopes` and by `claims`.")
        if granted:
            own["scope"] = " ".join(granted)
        with Watch(self, request) as watch:
            return watch.noted(self._core.log_in(subject, own, **about), "logged_in")

    def start_session(
        self,
        subject: str,
        *,
        scopes: str | Iterable[str] = (),
        claims: Mapping[str, object] | None = None,
        client: str | bytes | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> _Decision:
        """Start the session of a subject that has logged in; its headers set the cookies.

        :param scopes: what its access tokens grant.
        :param claims: what else they say.
        :param client: what the subject logs in with, for people.
        :param meta: the program's own notes.
        """
        return self._log_in(None, subject, scopes=scopes, claims=claims, client=client, meta=meta)

    @property
    def limits_state(self) -> dict[str, Any] | None:
        """What is known of the server of ``limits``; see :attr:`gatekey.Store.limits_state`."""
        return self._core.limits_state

    def schemes(self, demand: _Demand | None = None) -> dict[str, dict[str, Any]]:
        """Give the security schemes of OpenAPI by which a caller may say who they are."""
        if demand is None:
            return self._schemes_of(ALL_KINDS)
        first = self._schemes_of(set(demand.kinds) or ALL_KINDS)
        return first | self._schemes_of(set(demand.pair))

    def requirements(self, demand: _Demand) -> list[dict[str, list[str]]]:
        """Give the security requirements of OpenAPI, of which one is enough.

        Two credentials are one requirement; of several scopes of which one is enough, each is one.
        An empty requirement is a caller without a credential. A public route has no requirements.
        """
        if demand.is_public:
            return []
        scopes = demand.scopes
        granted = [[*scopes, one] for one in demand.any_scopes if one not in scopes] or [scopes]
        found: list[dict[str, list[str]]] = []
        for name in self._schemes_of(set(demand.kinds) or ALL_KINDS):
            # A place holds one credential: the second stands in another one.
            beside = [one for one in self._schemes_of(set(demand.pair)) if one != name]
            second: list[dict[str, list[str]]] = [{one: []} for one in beside]
            for alternative in second if demand.pair else [{}]:
                found += [{name: wanted} | alternative for wanted in granted]
        return [*found, {}] if demand.is_optional else found

    def _schemes_of(self, taken: set[str]) -> dict[str, dict[str, Any]]:
        others = self._is_given_tokens or bool(self.issuers)
        bearers = {
            "session": self.sessions is not None,
            "jwt": others,
            "opaque": self._is_given_tokens,
            "api_key": self.api_keys is not None,
        }
        found: dict[str, dict[str, Any]] = {}
        if any(given and kind in taken for kind, given in bearers.items()):
            found["bearer"] = {"type": "http", "scheme": "bearer"}
        if self.api_keys is not None and "api_key" in taken:
            found["apiKey"] = {"type": "apiKey", "in": "header", "name": self.api_key_header}
        if self.cookies is not None and "session" in taken:
            found["session"] = {"type": "apiKey", "in": "cookie", "name": self.cookies.names[0]}
        return found

    def user_of_login(self, provider: str, login: FinishedLogin) -> str | Mapping[str, Any] | None:
        """Ask the program whose log-in it is."""
        return None if self._oauth_user is None else self._oauth_user(provider, login)

    def own_routes(self, prefix: str) -> list[OwnRoute]:
        """Give the routes that ``install`` adds."""
        from gatekey.guard.routes import own_routes

        return own_routes(self, prefix)

    def close(self) -> None:
        """Close the store, if the guard has opened it."""
        if self._owns_store and self.store is not None:
            self.store.close()

    def __repr__(self) -> str:
        kept = {
            "api_keys": self.api_keys,
            "sessions": self.sessions,
            "cookies": self.cookies,
            "tokens": self.tokens,
        }
        taken = ", ".join(name for name, given in kept.items() if given is not None)
        return f"<gatekey.guard.Guard of {taken}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Guard is not pickled or copied; share it")


def _name_of(keys: _RemoteKeySet) -> str:
    about: dict[str, Any] = json.loads(getattr(keys, "_options", "{}"))
    return str(about.get("issuer") or about.get("url") or "an issuer")


def _now(clock: _Clock | None) -> float:
    now: Any = time if clock is None else getattr(clock, "now", clock)
    return float(now())


class Watch:
    """How long a decision takes, and what is fetched for it."""

    def __init__(
        self,
        guard: Guard,
        request: _Request | None,
        later: Callable[[Callable[[], None]], bool] | None = None,
    ) -> None:
        """Begin."""
        self._guard, self._request, self._later = guard, request, later
        self._started = monotonic()
        self._stale = [keys for keys in guard._remote if keys.wants_refresh]

    def noted(self, decision: _Decision, kind: _Kind = "allowed") -> _Decision:
        """Report a decision, and give it."""
        guard, seconds = self._guard, monotonic() - self._started
        guard._events.report(guard._core, decision, self._request, seconds, kind, self._later)
        return decision

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        for keys in self._stale:
            if not keys.wants_refresh:
                LOG.info("fetched the keys of %s", _name_of(keys))


def tokens_of(decision: _Decision) -> SessionTokens:
    """Give the tokens of a log-in or a refresh."""
    tokens = decision.tokens
    assert tokens is not None  # noqa: S101 - a log-in has them
    return tokens


def origin_of(url: str) -> str:
    """Give the origin of a URL."""
    scheme, sep, rest = url.partition("://")
    return f"{scheme}{sep}{rest.partition('/')[0]}"


def mark_of(thing: object) -> Any:
    """Give what is demanded of a function or class, if it is guarded; else None."""
    return getattr(thing, MARK, None)


def marked(thing: _T, demand: _Demand) -> _T:
    """Mark a function or class as guarded."""
    setattr(thing, MARK, demand)
    return thing


def unguarded(names: Sequence[str]) -> ConfigurationError:
    """Say which routes have no guard."""
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return ConfigurationError(
        f"These routes have no guard: {shown}. Give each `requires(...)`, between its route and "
        "its function, or say that it is public with `public`."
    )


def check_name(name: str, routes: Mapping[str, object]) -> None:
    """Look whether a name of `public` means one thing.

    :param routes: the paths that it opens, and what answers there.
    :raises ConfigurationError: several functions of different paths have it.
    """
    if len({id(one) for one in routes.values()}) > 1:
        raise ConfigurationError(
            f"The name {name!r:.80} in `public` is that of several routes: "
            f"{', '.join(sorted(routes)[:10])}. Give the one that is meant a name of its own, "
            "`name=...`, or say `public` at the route itself."
        )
