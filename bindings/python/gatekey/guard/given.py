"""What guards are given: each argument is of its type, or the mistake is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatekey._core import (
    ApiKeys,
    IssuerRule,
    KeyRing,
    Revocations,
    SessionCookies,
    Sessions,
    Store,
    _named,
    _RemoteKeySet,
    _seconds,
)
from gatekey.exceptions import ConfigurationError
from gatekey.guard.former import FormerTokens
from gatekey.guard.hooks import check_function
from gatekey.oauth import OAuthClient, ResourceServer
from gatekey.oauth.options import flag, listed, mapped, of_type, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PATH = (str, os.PathLike)
DEFAULT_TTL = 900
"""How many seconds access tokens of sessions live, unless said."""
NAMES_COLLAPSE = (
    "`trusted_proxies` needs `exact_names=True` behind WSGI: a client's `X_Forwarded_For` has the "
    "same name there as the proxy's `X-Forwarded-For`, so that no address is known and all callers "
    "share one limit. Say so if the server drops names with an underscore: gunicorn does from "
    "version 22 on, nginx unless it was told otherwise."
)
CLASSES: dict[str, tuple[tuple[type, ...], str]] = {
    "store": ((Store, *_PATH), "a gatekey.Store, or the URL or path of a store"),
    "tokens": ((ResourceServer,), "a gatekey.ResourceServer"),
    "api_keys": ((ApiKeys, bool), "a gatekey.ApiKeys, True or False"),
    "sessions": ((Sessions, bool), "a gatekey.Sessions, True or False"),
    "key_ring": ((KeyRing,), "a gatekey.KeyRing"),
    "cookies": ((SessionCookies, bool), "a gatekey.SessionCookies, True or False"),
    "csrf_secret": ((str, bytes), "a str or bytes"),
    "csrf_secret_file": (_PATH, "a path: a str or a pathlib.Path"),
    "pepper_file": (_PATH, "a path: a str or a pathlib.Path"),
    "revocations": ((Revocations,), "a gatekey.Revocations"),
    "former": ((FormerTokens,), "a gatekey.guard.FormerTokens"),
}
"""Options of a guard that are objects, and what they are of."""
TEXTS = (
    "issuer",
    "audience",
    "public_url",
    "forwarded_header",
    "api_key_header",
    "csrf_header",
    "csrf_form_field",
    "realm",
    "metadata_url",
    "limits",
)
"""Those that are texts."""
FLAGS = ("exact_names", "danger_allow_http")
"""Those that are True or False."""
FLAGS_OF_DEMANDS = (
    "fresh",
    "csrf_always",
    "danger_no_csrf",
    "own_pages",
    "optional",
    "same_tenant",
    "same_subject",
)
"""Demands that are True or False."""


def check_options(given: Mapping[str, Any]) -> None:
    """Look at all options of a guard, before anything is opened.

    :raises TypeError: one is of another type.
    :raises ConfigurationError: one has a value that cannot be meant.
    """
    for name, (kinds, wanted) in CLASSES.items():
        _check_class(given[name], name, kinds, wanted)
    for name in TEXTS:
        if given[name] is not None:
            text(given[name], name)
    for name in FLAGS:
        flag(given[name], name)
    mapped(given["issuers"], "issuers")
    for provider, client in (mapped(given["oauth"], "oauth") or {}).items():
        _check_class(
            client, f"oauth[{_named(provider)!r}]", (OAuthClient,), "a gatekey.OAuthClient"
        )
    if given["oauth_user"] is not None:
        check_function(given["oauth_user"], "oauth_user")
    _seconds(given["token_ttl"], "token_ttl")
    if given["ipv6_prefix"] is not None:
        whole(given["ipv6_prefix"], "ipv6_prefix", 32, 128)
    if given["public_url"] is not None and "://" not in given["public_url"]:
        raise ConfigurationError(
            f"The `public_url` is {given['public_url']!r:.80}: the address is wanted that users "
            "find this service by, with its scheme, such as https://shop.example."
        )
    over_http = (given["public_url"] or "").lower().startswith("http://")
    if over_http and given["cookies"] is True and not given["danger_allow_http"]:
        raise ConfigurationError(
            f"The `public_url` is {given['public_url']!r:.80}: it begins with https:// in "
            "production, where cookies are `Secure`. For development without HTTPS pass "
            "`danger_allow_http=True`."
        )
    if given["csrf_form_field"] == "":
        raise ConfigurationError("The `csrf_form_field` is empty; name a field, or leave it out.")
    for name, says in _idle(given):
        raise ConfigurationError(f"`{name}` {says}.")


def _idle(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name the options that would do nothing, and say what to do."""

    def has(name: str) -> bool:
        return given[name] is not None and given[name] is not False

    makes_cookies = given["cookies"] is True
    makes_sessions = given["sessions"] is True or (
        given["sessions"] is None and (has("issuer") or has("cookies"))
    )
    of_cookies = "is about the cookies that the guard makes: pass `cookies=True`, too, or leave it"
    if given["danger_allow_http"] and not makes_cookies:
        own = "`SessionCookies(csrf, danger_allow_http=True)`"
        yield "danger_allow_http", f"{of_cookies} out. Cookies of your own have it from {own}"
    for name in ("csrf_secret", "csrf_secret_file"):
        if has(name) and not makes_cookies:
            own = "`SessionCookies(Csrf(secret))`"
            yield name, f"{of_cookies} out. Cookies of your own have it from {own}"
    if has("csrf_form_field") and not has("cookies"):
        yield (
            "csrf_form_field",
            "is where forms have a CSRF token, which only requests with `cookies` need: pass them, "
            "too, or leave it out",
        )
    if has("pepper_file") and not isinstance(given["store"], _PATH):
        yield (
            "pepper_file",
            "is for a `store` that the guard opens: pass its URL or path, or give the pepper to "
            "`Store.open`, and leave it out here",
        )
    if given["token_ttl"] != DEFAULT_TTL and not makes_sessions:
        yield (
            "token_ttl",
            "is of the sessions that the guard makes: pass `issuer` or `cookies=True`, too, or "
            "leave it out. Sessions of your own have it from their `Signer`",
        )
    if has("oauth_user") and not given["oauth"]:
        yield (
            "oauth_user",
            "is asked about log-ins by providers: name these in `oauth`, too, or leave it out",
        )
    if has("tokens") and given["issuers"] is not None:
        yield (
            "issuers",
            "would not be looked at: whose tokens are accepted is said by `tokens`. Name them in "
            "its `issuers`, or leave `tokens` out",
        )
    if has("tokens") and has("audience") and not makes_sessions:
        yield (
            "audience",
            "would not be looked at: `tokens` has an audience of its own. Leave one of them out",
        )


def check_demands(given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Look at what a route is said to demand, apart from scopes.

    :raises TypeError: there is no such demand, or it is of another type.
    :raises ConfigurationError: it has a value that cannot be meant.
    """
    for name in given:
        if name not in known:
            raise TypeError(f"there is no demand `{name}`{_instead_of(name, known)}")
    for name in FLAGS_OF_DEMANDS:
        if name in given:
            flag(given[name], name)
    for name in ("acr_values", "claims", "limits"):
        if given.get(name) in ([], (), {}, set(), ""):
            raise ConfigurationError(f"`{name}` is empty, and demands nothing: leave it out.")
    if given.get("tenant") is not None:
        text(given["tenant"], "tenant")
    if given.get("cost") is not None:
        whole(given["cost"], "cost", 0, 2**32 - 1)


def _instead_of(name: str, known: Iterable[str]) -> str:
    """Say what is meant instead."""
    own = {
        "public": "; open a route to all callers by `public`",
        "scopes": "; name the scopes one by one: requires('orders:read', 'orders:write')",
        "scope": "; name the scopes one by one: requires('orders:read', 'orders:write')",
        "any_scopes": "; it is `any_of`",
        "csrf": "; it is `csrf_always`, or `danger_no_csrf`",
    }
    return own.get(name, "; there are " + ", ".join(known))


def check_scopes(scopes: Iterable[Any]) -> None:
    """Look at the scopes that a route is said to demand.

    :raises TypeError: one is none.
    """
    for scope in scopes:
        if callable(scope):
            raise TypeError(
                "`requires` is given a function instead of scopes: call it before it decorates, "
                "`@auth.requires()`"
            )
        if not isinstance(scope, str):
            raise TypeError(
                "each scope of `requires` must be a str, one after the other, not "
                f"{type(scope).__name__}: requires('orders:read', 'orders:write')"
            )


def whole(value: object, name: str, least: int, most: int) -> int:
    """Take a whole number from `least` to `most`.

    :raises TypeError: it is of another type.
    :raises ConfigurationError: it is another number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise of_type(value, name, "an int")
    if not least <= value <= most:
        shown = str(value) if value.bit_length() <= 128 else "one of many digits"
        raise ConfigurationError(
            f"`{name}` must be a whole number from {least} to {most}, not {shown}."
        )
    return value


def names_of(values: Iterable[str], name: str) -> frozenset[str]:
    """Take names of routes; one text is one name, not its letters."""
    given: Any = values
    return frozenset(listed(given, name) or ())


def subject_of(value: object) -> str:
    """Take the subject of a log-in.

    :raises TypeError: it is a number of a database, for example.
    """
    if not isinstance(value, str):
        raise TypeError(
            f"`subject` must be a str, not {type(value).__name__}: of a user of a database, for "
            "example, str(user.id)"
        )
    return text(value, "subject")


def app_of(app: object, kind: type, name: str) -> None:
    """Look at the application that a guard is installed in.

    :raises TypeError: it is another thing.
    """
    if not isinstance(app, kind):
        raise of_type(app, "app", f"a {name}")


def environment_of(environ: object) -> Mapping[str, str]:
    """Take the environment.

    :raises TypeError: it is no mapping, or holds what is no text.
    """
    if not isinstance(environ, Mapping):
        raise of_type(environ, "environ", "a mapping of names to str, such as os.environ")
    for name, value in environ.items():
        if not isinstance(name, str):
            raise TypeError(f"the names of `environ` must be str, not {type(name).__name__}")
        if name.startswith("GATEKEY_") and not isinstance(value, str):
            raise of_type(value, f"environ[{_named(name)!r}]", "a str")
    return environ


def _check_class(value: object, name: str, kinds: tuple[type, ...], wanted: str) -> None:
    if value is None or isinstance(value, kinds):
        return
    if isinstance(getattr(value, "sync", None), kinds):
        if name == "tokens":  # which has both
            return
        own = kinds[0].__name__
        raise TypeError(
            f"`{name}` must be {wanted}, not its twin gatekey.aio.{own}: give the twin's `sync`"
        )
    raise of_type(value, name, wanted)


def remote_of(*keys: object) -> list[_RemoteKeySet]:
    """Give those that are fetched."""
    plain = (one._keys if isinstance(one, IssuerRule) else one for one in keys)
    return [one for one in plain if isinstance(one, _RemoteKeySet)]
