"""`Answer`: what is answered to a request, before it is a framework's response."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatekey._core import _Decision

NO_STORE = ("Cache-Control", "no-store")


@dataclass(frozen=True)
class Answer:
    """Status, headers and body, all of them as they are sent; cookies and tokens are not shown."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, decision: _Decision) -> Answer:
        """Give what a refusal answers."""
        return cls(decision.status, tuple(decision.headers), (decision.body or "").encode())

    @classmethod
    def json(cls, value: object, headers: Iterable[tuple[str, str]] = (NO_STORE,)) -> Answer:
        """Give a body of JSON."""
        kind = ("Content-Type", "application/json")
        return cls(200, (kind, *headers), json.dumps(value).encode())

    @classmethod
    def nothing(cls, headers: Iterable[tuple[str, str]]) -> Answer:
        """Say that it is done, without a body."""
        return cls(204, tuple(headers))


def cookies_of(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the headers that set cookies, and that keep them out of caches."""
    return [pair for pair in headers if pair[0] in ("Set-Cookie", "Cache-Control")]


def with_headers(
    headers: list[tuple[bytes, bytes]], decision: _Decision
) -> list[tuple[bytes, bytes]]:
    """Add what goes with an answer: the names of `Vary` to the application's own, and rates."""
    vary = [value.decode("latin-1") for name, value in headers if name.lower() == b"vary"]
    for name, value in decision.headers:
        if name == "Vary":
            headers = [pair for pair in headers if pair[0].lower() != b"vary"]
            headers.append((b"vary", joined(vary, value).encode("latin-1")))
        elif decision.is_allowed:
            headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    return headers


def joined(own: Iterable[str], more: str) -> str:
    """Join the names of several `Vary` headers, each name once."""
    names: dict[str, str] = {}
    for value in (*own, more):
        for name in value.split(","):
            if name.strip():
                names.setdefault(name.strip().lower(), name.strip())
    return "*" if "*" in names else ", ".join(names.values())
