"""Editors show what `help()` shows: the stub has the docstrings of the extension."""

from __future__ import annotations

import ast

from documented import STUB, documented, members

# What is behind a class of Python's, which has the words.
BEHIND = ("_OAuthClient", "_Operation", "_RemoteKeySet", "_ResourceServer", "_TokenManager")


def test_the_stub_has_the_docstrings_of_today() -> None:
    source = STUB.read_text()
    assert documented(source) == source, "run `make stub`"


def test_what_people_use_is_documented() -> None:
    tree = ast.parse(STUB.read_text())
    private = {
        id(member)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in BEHIND
        for member in (node, *node.body)
    }
    for node, doc in members(tree):
        if id(node) not in private and not node.name.startswith("_"):
            assert doc, f"{node.name}, line {node.lineno}"
            assert ast.get_docstring(node) == doc, node.name
