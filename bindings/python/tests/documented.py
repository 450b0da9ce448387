"""Puts the docstrings of the extension into its stub, where editors look for them.

`make stub` does, with the wheel of the tests; `test_documented.py` tells when it is to be done.
What the stub says of types is written by hand and stays as it is.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gatekey
from gatekey import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

STUB = Path(__file__).parent.parent / "gatekey" / "_core.pyi"


def text_of(owner: Any, name: str) -> str | None:
    """Give the docstring of a member, as people read it; none for what Python itself says."""
    member = inspect.getattr_static(owner, name, None)
    doc = getattr(getattr(owner, name, None), "__doc__", None)
    if isinstance(member, property) or inspect.isdatadescriptor(member):
        doc = member.__doc__
    return inspect.cleandoc(doc) if doc and not name.startswith("__") else None


def members(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | ast.FunctionDef, str | None]]:
    """Give what the stub declares, with what the extension says of it."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node, text_of(_core, node.name)
        if isinstance(node, ast.ClassDef) and hasattr(_core, node.name):
            owner = getattr(_core, node.name)
            yield node, inspect.cleandoc(owner.__doc__) if owner.__doc__ else None
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield member, text_of(owner, member.name)


def written(doc: str, indent: str) -> list[str]:
    """Write a docstring, as it stands in a source."""
    raw = "r" if "\\" in doc else ""
    lines = (
        f'{raw}"""{doc}"""'.splitlines()
        if "\n" not in doc
        else [
            *f'{raw}"""{doc}'.splitlines(),
            '"""',
        ]
    )
    return [f"{indent}{line}".rstrip() for line in lines]


def documented(source: str) -> str:
    """Give the stub with the docstrings of today."""
    tree = ast.parse(source)
    lines = source.splitlines()
    edits: list[tuple[int, int, list[str]]] = []
    for node, doc in members(tree):
        first = node.body[0]
        is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        start, end = first.lineno - 1, (first.end_lineno or first.lineno)
        indent = " " * (node.col_offset + 4)
        if isinstance(node, ast.ClassDef):
            is_doc = is_text and isinstance(first.value.value, str)  # type: ignore[attr-defined]
            if is_doc or (is_text and len(node.body) == 1):
                head = lines[start][: first.col_offset].rstrip() if not is_doc else ""
                new = written(doc, indent) if doc else [f"{indent}..."]
                edits.append((start, end, [head, *new] if head else new))
            elif doc:
                # Before the first member, and what decorates it.
                above = min([first.lineno, *(d.lineno for d in first.decorator_list)]) - 1  # type: ignore[attr-defined]
                edits.append((above, above, written(doc, indent)))
            continue
        head = lines[start][: first.col_offset].rstrip()
        head = head if head.strip() else ""
        new = written(doc, indent) if doc else [f"{indent}..."]
        edits.append((start, end, [head, *new] if head else new))
    for start, end, new in sorted(edits, reverse=True):
        lines[start:end] = new
    text = "\n".join(lines) + "\n"
    ruff = Path(sys.executable).parent / "ruff"
    settings = str(STUB.parent.parent / "pyproject.toml")
    arguments = [str(ruff), "format", "--quiet", "--config", settings]
    formatted: str = subprocess.run(  # noqa: S603
        [*arguments, "--stdin-filename", "_core.pyi", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return formatted


if __name__ == "__main__":
    assert Path(gatekey.__file__).is_relative_to(sys.prefix), "the wheel of the tests"
    STUB.write_text(documented(STUB.read_text()))
