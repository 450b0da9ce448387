"""nginx: what `nginx -T` prints."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from checks import IDENTITY, ODD, STRIPPED, VARY

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = re.compile(
    r"""\s+|\#[^\n]*|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([{};])"""
    r"""|((?:\$\{|[^\s;{}"'#])(?:\$\{[^}]*\}|[^\s;{}])*)"""
)
OTHER_PASSES = ("fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass")


@dataclass
class Block:
    """A directive with what is in its braces; the level around it is known."""

    words: list[str]
    above: Block | None = None
    inside: list[Block] = field(default_factory=list)

    def own(self, name: str) -> list[list[str]]:
        """Give the words behind each directive of this name at this level."""
        return [one.words[1:] for one in self.inside if one.words[0] == name]

    def effective(self, name: str) -> list[list[str]]:
        """Give them as nginx inherits lists: from above only if there is none here."""
        if found := self.own(name):
            return found
        return self.above.effective(name) if self.above else []

    def every(self) -> Iterator[Block]:
        """Give all that is inside, at any depth."""
        for one in self.inside:
            yield one
            yield from one.every()

    def names(self) -> str:
        """Say which it is."""
        return " ".join(self.words)


def tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Give words and punctuation; the flag tells `;` from a quoted one."""
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"cannot be read: {text[at : at + 40]!r}")
        at = found.end()
        double, single, mark, word = found.groups()
        if mark:
            yield mark, True
        elif word is not None or double is not None or single is not None:
            yield next(each for each in (word, double, single) if each is not None), False


def parsed(files: dict[str, str], name: str, above: Block) -> None:
    """Put the directives of a file, and of those it includes, into a block."""
    block, words = above, list[str]()
    folder = PurePosixPath(next(iter(files))).parent
    for token, is_mark in tokens(files[name]):
        if not is_mark:
            words.append(token)
        elif token == "}":
            if block is above or not block.above:
                raise ValueError(f"{name}: a brace too many")
            block = block.above
        elif words and words[0] == "include":
            pattern = str(folder / words[1])
            matching = [each for each in files if fnmatch.fnmatchcase(each, pattern)]
            if not matching and not set("*?[") & set(pattern):
                raise ValueError(f"{pattern} is included, and not there")
            for each in matching:
                parsed(files, each, block)
            words = []
        else:
            one = Block(words, block)
            block.inside.append(one)
            words = []
            if token == "{":
                block = one


def nginx(text: str) -> list[str]:
    """Check what `nginx -T` prints."""
    parts = re.split(r"^# configuration file (.+):$", text, flags=re.MULTILINE)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    root = Block(["nginx"])
    if not files:
        return ["this is not what `nginx -T` prints"]
    try:
        parsed(files, next(iter(files)), root)
    except ValueError as why:
        return [str(why)]
    wrong = []
    decisions: dict[str, Block] = {}
    passing = [one for one in root.every() if one.own("proxy_pass")]
    for one in root.every():
        if one.words in (["underscores_in_headers", "on"], ["ignore_invalid_headers", "off"]):
            wrong.append(f"`{one.names()}`: aliases of the identity's headers pass")
        if one.words == ["satisfy", "any"]:
            wrong.append("`satisfy any`: who is let in by an address has no identity")
        if one.words[0] in OTHER_PASSES:
            wrong.append(f"`{one.names()}`: only proxy_pass is known here")
    wrong += [f"server: {each}" for one in root.every() for each in nginx_server(one, root)]
    for one in passing:
        if re.match(r"https?://[^/]+/auth/", one.own("proxy_pass")[0][0]):
            decisions[one.words[-1]] = one
            wrong += [f"{one.names()}: {each}" for each in nginx_decision(one)]
    for one in passing:
        if one not in decisions.values():
            wrong += [f"{one.names()}: {each}" for each in nginx_application(one, decisions)]
    if not decisions:
        wrong.append("no location asks for a decision")
    return wrong


def nginx_server(block: Block, root: Block) -> Iterator[str]:
    """Check that a server refuses what can be read in two ways."""
    if block.words != ["server"] or not any(one.own("proxy_pass") for one in block.every()):
        return
    asked = [one for one in block.inside if one.words == ["if", "($gatekey_odd_path)"]]
    if not asked or [words[0] for words in asked[0].own("return")] != ["400"]:
        yield "a path that can be read in two ways is not refused: `include gatekey/server.conf`"
    maps = [
        one for one in root.every() if one.words[0] == "map" and "$gatekey_odd_path" in one.words
    ]
    if [one.words[1] for one in maps] != ["$request_uri"] or [
        each.words for each in maps[0].inside
    ] != [["default", "0"], [f"~*^[^?]*({ODD})", "1"]]:
        yield "$gatekey_odd_path is not what gatekey/http.conf says"


def set_headers(block: Block) -> dict[str, list[str]]:
    """Give all values that the upstream gets of each header, by its name in small letters."""
    found: dict[str, list[str]] = {}
    for name, value in block.effective("proxy_set_header"):
        found.setdefault(name.lower(), []).append(value)
    return found


def nginx_decision(block: Block) -> Iterator[str]:
    """Check a location that asks for a decision."""
    sets = set_headers(block)
    if block.words[:2] != ["location", "="] or not block.own("internal"):
        yield "a decision is `location = /...` and `internal`, else clients reach it"
    if "$" in block.own("proxy_pass")[0][0]:
        yield "the demand in proxy_pass is a constant"
    if block.effective("proxy_pass_request_body") != [["off"]] or sets.get("content-length") != [
        ""
    ]:
        yield "a decision gets no body: `proxy_pass_request_body off` and an empty Content-Length"
    if sets.get("x-forwarded-method") != ["$request_method"]:
        yield "X-Forwarded-Method is $request_method"
    address = sets.get("x-forwarded-for", [])
    if address not in (["$remote_addr"], ["$realip_remote_addr"]):
        yield "X-Forwarded-For is $remote_addr, and nothing of the client's"
    for name in STRIPPED:
        if sets.get(name.lower()) != [""]:
            yield f'{name} is not stripped: `proxy_set_header {name} ""`'


def nginx_application(block: Block, decisions: dict[str, Block]) -> Iterator[str]:
    """Check a location that leads to an application."""
    sets = set_headers(block)
    asked = block.effective("auth_request")
    is_guarded = bool(asked) and asked != [["off"]]
    kept = block.effective("auth_request_set")
    for name in STRIPPED:
        wanted = ""
        if is_guarded and name in IDENTITY:
            answer = "$upstream_http_" + name.lower().replace("-", "_")
            variables = [variable for variable, value in kept if value == answer]
            taken = [variable for variable, _ in kept]
            if len(variables) != 1 or taken.count(variables[0]) != 1:
                yield f"`auth_request_set` gives no variable for {name} alone"
                continue
            wanted = variables[0]
        if sets.get(name.lower()) != [wanted]:
            yield f"{name} is not replaced: `proxy_set_header {name} {wanted or chr(34) * 2}`"
    if not is_guarded:
        return
    if asked[0][0] not in decisions:
        yield f"auth_request {asked[0][0]} is no location of a decision"
    if ["Vary", VARY, "always"] not in block.effective("add_header"):
        yield f'a cache mixes callers up: `add_header Vary "{VARY}" always`'
    pages = [words for words in block.effective("error_page") if "500" in words]
    if not any({"401", "403", "500"} <= set(words) and words[-1][0] == "@" for words in pages):
        yield "`error_page 401 403 500 = @...` is missing: 429 and 503 would be 500"
