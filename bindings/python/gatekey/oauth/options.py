"""Options of Python's as the core reads them: text, whole seconds, JSON; each of its type."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from gatekey._core import HttpTransport, Key, _milliseconds, _named
from gatekey.exceptions import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekey._core import _Seconds

FLAGS = frozenset({"allow_loopback_http", "any_audience", "discover", "require_pkce"})
"""Options that are True or False."""
NUMBERS = frozenset(
    {"leeway", "deadline_ms", "ttl", "min_ttl", "max_ttl", "cooldown", "max_stale", "max_age"}
)
"""Options that are numbers, which were read before they come here."""


def of_type(value: object, name: str, wanted: str) -> TypeError:
    """Say what an argument must be, and the type of what was given; never the value."""
    return TypeError(f"`{name}` must be {wanted}, not {type(value).__name__}")


def json_text(members: Mapping[str, object]) -> str:
    """Write the members that are not None; each is a text unless it was read before.

    :raises TypeError: one is of another type.
    """
    given = {name: value for name, value in members.items() if value is not None}
    for name, value in given.items():
        if name in FLAGS:
            flag(value, name)
        elif isinstance(value, list | tuple | dict):
            _check_plain(value, name)
        elif name not in NUMBERS:
            text(value, name)
    return json.dumps(given)


def text(value: object, name: str) -> str:
    """Take a str that is Unicode text."""
    if not isinstance(value, str):
        raise of_type(value, name, "a str")
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise UsageError(f"The `{name}` holds half of a surrogate pair, which has no UTF-8 form.")
    return value


def flag(value: object, name: str) -> bool:
    """Take True or False, and nothing that only counts as such."""
    if not isinstance(value, bool):
        raise of_type(value, name, "True or False")
    return value


def _check_plain(value: object, name: str) -> None:
    """Look whether all that is inside has a JSON form."""
    if isinstance(value, str):
        text(value, name)
    elif isinstance(value, Mapping):
        for member, inner in value.items():
            text(member, name)
            _check_plain(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_plain(inner, name)
    elif isinstance(value, float) and value - value != 0:
        raise ConfigurationError(f"The `{name}` holds a number that is not finite.")
    elif not (value is None or isinstance(value, bool | int | float)):
        raise TypeError(f"`{name}` holds a {type(value).__name__}, which has no JSON form")


_T = TypeVar("_T")


def listed(values: str | Sequence[_T] | None, name: str) -> list[_T] | list[str] | None:
    """Copy a list of str; a text is one element, not its letters.

    Bytes and mappings iterate as well, and would name nothing where they are empty.
    """
    if isinstance(values, str):
        return [text(values, name)]
    if values is None:
        return None
    if isinstance(values, bytes | bytearray | Mapping):
        raise of_type(values, name, "a str or a list of str")
    try:
        copied = list(values)
    except TypeError:
        raise of_type(values, name, "a str or a list of str") from None
    for value in copied:
        # Tokens may have no type.
        if not (isinstance(value, str) or (value is None and name == "token_types")):
            wrong = type(value).__name__
            raise TypeError(f"`{name}` must be a str or a list of str; it holds a {wrong}")
    return copied


def mapped(values: Mapping[str, _T] | None, name: str) -> dict[str, _T] | None:
    """Copy a mapping of names, which a list is not."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise of_type(values, name, "a mapping (a dict)")
    for member in values:
        if not isinstance(member, str):
            raise TypeError(f"the names of `{name}` must be str, not {type(member).__name__}")
    return dict(values)


def plain_json(values: Mapping[str, object] | None, name: str) -> dict[str, object] | None:
    """Copy a mapping of names to values that have a JSON form."""
    copied = mapped(values, name)
    for member, value in (copied or {}).items():
        try:
            (member + json.dumps(value, allow_nan=False, ensure_ascii=False)).encode()
        except (TypeError, ValueError) as error:
            shown = _named(member) if member.isprintable() else "?"
            raise TypeError(f"`{name}[{shown!r}]` has no JSON form: {_why(error)}") from None
    return copied


def _why(error: Exception) -> str:
    """Say what json.dumps has said, and not what encoding a text has: that repeats the text."""
    if isinstance(error, UnicodeError):
        return "half of a surrogate pair has no UTF-8 form"
    return str(error)


def folder_of(value: object, name: str) -> str | None:
    """Take the path of a folder as a str, if one is given."""
    if value is None:
        return None
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(path, str):
        raise of_type(value, name, "a path: a str or a pathlib.Path")
    return text(path, name)


def check_transport(value: object) -> None:
    """Refuse what carries no requests."""
    is_one = value is None or isinstance(value, HttpTransport) or callable(value)
    if not is_one and not callable(getattr(value, "send", None)):
        wanted = "an HttpTransport, a callable that takes an HttpRequest, or an object with send()"
        raise of_type(value, "transport", wanted)


def at_least(span: _Seconds, what: str) -> int:
    """Give the whole seconds of a span, rounded up."""
    return -(-_milliseconds(span, what) // 1000)


def private_key_of(key: Key | str | bytes | Mapping[str, object] | None) -> object:
    """Write a private key as the configuration has it: PEM text, or a JWK."""
    if isinstance(key, bytes):
        return key.decode("utf-8", "replace")
    if key is None or isinstance(key, str):
        return key
    if isinstance(key, Key):
        return key.to_jwk(private=True)
    if not isinstance(key, Mapping):
        raise of_type(key, "private_key", "a gatekey.Key, PEM text or a JWK (a dict)")
    return mapped(key, "private_key")


def grant_text(
    scopes: str | Sequence[str],
    resources: str | Sequence[str],
    parameters: Mapping[str, str] | None,
) -> str:
    """Write what a grant asks for."""
    members = {
        "scopes": listed(scopes, "scopes"),
        "resources": listed(resources, "resources"),
        "parameters": mapped(parameters, "parameters"),
    }
    return json_text(members)


def exchange_text(token: str, kind: str, more: Mapping[str, Any]) -> str:
    """Write what a token exchange (RFC 8693) asks for."""
    lists = {name: listed(more[name], name) for name in ("scopes", "resources") if name in more}
    return json_text({"subject_token": token, "subject_token_type": kind, **more, **lists})
