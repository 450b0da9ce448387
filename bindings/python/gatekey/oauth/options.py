"""Options of Python's as the core reads them: text, whole seconds, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from gatekey._core import Key, _milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekey._core import _Seconds


def json_text(members: Mapping[str, object]) -> str:
    """Write the members that are not None."""
    return json.dumps({name: value for name, value in members.items() if value is not None})


_T = TypeVar("_T")


def listed(values: str | Sequence[_T] | None, name: str = "it") -> list[_T] | list[str] | None:
    """Copy a list; a text is one element, not its letters."""
    if isinstance(values, str):
        return [values]
    if values is None:
        return None
    try:
        return list(values)
    except TypeError:
        wrong = type(values).__name__
        raise TypeError(f"`{name}` must be a str or a list of str, not {wrong}") from None


def mapped(values: Mapping[str, _T] | None, name: str) -> dict[str, _T] | None:
    """Copy a mapping, which a list is not."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise TypeError(f"`{name}` must be a mapping (a dict), not {type(values).__name__}")
    return dict(values)


def plain_json(values: Mapping[str, object] | None, name: str) -> dict[str, object] | None:
    """Copy a mapping of names to values that have a JSON form."""
    copied = mapped(values, name)
    for member, value in (copied or {}).items():
        if not isinstance(member, str):
            raise TypeError(f"the names of `{name}` must be str, not {type(member).__name__}")
        try:
            (member + json.dumps(value, allow_nan=False, ensure_ascii=False)).encode()
        except (TypeError, ValueError) as error:
            raise TypeError(f"`{name}[{member!r}]` has no JSON form: {error}") from None
    return copied


def at_least(span: _Seconds, what: str) -> int:
    """Give the whole seconds of a span, rounded up."""
    return -(-_milliseconds(span, what) // 1000)


def private_key_of(key: Key | str | bytes | Mapping[str, object] | None) -> object:
    """Write a private key as the configuration has it: PEM text, or a JWK."""
    if isinstance(key, bytes):
        return key.decode("utf-8", "replace")
    if key is None or isinstance(key, str):
        return key
    return key.to_jwk(private=True) if isinstance(key, Key) else mapped(key, "private_key")


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
