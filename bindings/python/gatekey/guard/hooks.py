"""Functions of a program's own that a guard calls: none of them is awaited."""

from __future__ import annotations

from functools import partial
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import Any

from gatekey.oauth.options import of_type


def check_function(value: Any, name: str) -> None:
    """Look at a function that is given.

    :raises TypeError: it is no plain function.
    """
    if not callable(value):
        raise of_type(value, name, "a function")
    inner = value
    while isinstance(inner, partial):
        inner = inner.func
    if iscoroutinefunction(inner) or iscoroutinefunction(type(inner).__call__):
        raise TypeError(f"`{name}` must be a plain function: nothing awaits a coroutine's")


def not_awaited(value: Any, name: str) -> Any:
    """Take what a function has given.

    :raises TypeError: it must be awaited first, and says nothing yet.
    """
    if iscoroutine(value):
        value.close()
    if isawaitable(value):
        raise TypeError(f"`{name}` must be a plain function: it gave a {type(value).__name__}")
    return value
