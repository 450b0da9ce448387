"""Each line of pg_hba.conf has its own policy; what is broken refuses, and the others go on."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cluster import SENTENCE, Cluster, Issuer, wait_for

A, B = SENTENCE.format("app_a"), SENTENCE.format("app_b")


def test_two_lines(cluster: Cluster, issuer: Issuer) -> None:
    """Another issuer, scope and audience: a token of one line is none of the other (row C13)."""
    other = Issuer()
    second = cluster.policy(other, "b", scope="db:write", audience="https://two.example.test")
    cluster.policies(cluster.policy(issuer), second)
    cluster.hba(cluster.line(issuer.url), cluster.line(other.url, "app_b", "db:write"))
    cluster.reload()
    one = issuer.token()
    two = other.token(aud="https://two.example.test", scope="db:write")
    assert (cluster.log_in(one), cluster.log_in(two, "app_b")) == ("", "")
    assert (cluster.log_in(two), cluster.log_in(one, "app_b")) == (A, B)

    # The same issuer on both lines: the scope tells the policies apart, and is demanded.
    second = cluster.policy(issuer, "b", scope="db:write", audience="https://two.example.test")
    cluster.policies(cluster.policy(issuer), second)
    cluster.hba(cluster.line(issuer.url), cluster.line(issuer.url, "app_b", "db:write"))
    cluster.reload()
    two = issuer.token(aud="https://two.example.test", scope="db:write")
    assert (cluster.log_in(one), cluster.log_in(two, "app_b")) == ("", "")
    assert (cluster.log_in(two), cluster.log_in(one, "app_b")) == (A, B)
    assert cluster.log_in(issuer.token(scope="db:write"), "app_b") == B
    other.stop()


BROKEN: dict[str, dict[str, Any]] = {
    "no audience": {"audience": None},
    "an empty audience": {"audience": ""},
    "an unknown setting": {"audiences": "x"},
    "a setting twice": {"leeway": ["1", "2"]},
    "a number out of range": {"leeway": "601"},
    "no number": {"max_life": "1h"},
    "no switch": {"allow_loopback_http": "yes"},
    "a role without a claim": {"role_claim": None},
    "a claim without a role": {"role": None},
    "a claim that users edit": {"role_claim": "preferred_username"},
    "an identity that users edit": {"identity_claim": "email"},
    "a claim in one that users edit": {"role_claim": "address country"},
    "a user's locale": {"role_claim": "locale"},
    "keys that are never fresh": {"keys_max_stale": "0"},
    "a control character in its name": {},
    "not UTF-8": {"client": "a\udcff"},
    "a role too long": {"role": "A" * 70},
    "keys of two places": {"jwks_file": "keys.json"},
    "an unknown algorithm": {"algorithm": "ES255"},
    "HMAC": {"algorithm": "HS256"},
    "a control character": {"client": "a\x01b"},
    "a line without =": {"[b": ""},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_policy(cluster: Cluster, issuer: Issuer, name: str) -> None:
    """It refuses; the one before and the one after it go on."""
    broken = cluster.policy(issuer, "broken", scope="db:write", **BROKEN[name])
    if name == "a line without =":
        broken = broken.replace("[b = ", "leeway")
    if name == "a control character in its name":
        broken = broken.replace("[broken]", "[bro\x01ken]")
    last = cluster.policy(issuer, "last", scope="db:last")
    text = "\n".join([cluster.policy(issuer), broken, last])
    cluster.write("gatekey.conf", text.encode(errors="surrogateescape"))
    lines = [cluster.line(issuer.url), cluster.line(issuer.url, "app_b", "db:write")]
    cluster.hba(*lines, cluster.line(issuer.url, "admin", "db:last"))
    cluster.reload()
    token = issuer.token(scope="db:read db:write db:last")
    before = len(cluster.logged())
    assert cluster.log_in(token, "app_b") == B
    # The core knows which algorithms there are.
    of_the_core = name in {"an unknown algorithm", "HMAC"}
    assert ("is broken: line" in cluster.logged()[before:]) != of_the_core
    assert "does not grant" not in cluster.logged()[before:]
    assert cluster.log_in(token) == ""
    assert cluster.log_in(token, "admin") == SENTENCE.format("admin")  # good, and no such role


def test_broken_files(cluster: Cluster, issuer: Issuer) -> None:
    """No policy, two of them, a damaged heading, a file of others, none: nobody is let in."""
    good, token = cluster.policy(issuer), issuer.token()
    for text in ("", good + good, good.replace("[main]", "[main"), good.replace("[main]", "x = y")):
        cluster.policies(text)
        assert cluster.log_in(token) == A, text
    # What follows a damaged heading is not taken for the section before.
    cluster.policies(good + "[b\nleeway = 9999\n")
    assert cluster.log_in(token) == ""
    cluster.write("gatekey.conf", good, 0o622)
    assert cluster.log_in(token) == A
    cluster.write("gatekey.conf", "\0" + good)
    assert cluster.log_in(token) == A
    (cluster.data / "gatekey.conf").unlink()
    assert cluster.log_in(token) == A


def test_as_editors_write_them(cluster: Cluster, issuer: Issuer) -> None:
    """Line ends of Windows, a byte order mark, blanks; not a file that may still be written."""
    good, token = cluster.policy(issuer, max_life=60), issuer.token(exp=int(time.time()) + 30)
    blanks = good.replace("\n", " \t\n").replace(" = ", "\t =  ")
    for text in (good.replace("\n", "\r\n"), "\ufeff" + good, "\ufeff# x\n" + good, blanks):
        cluster.policies(text)
        assert cluster.log_in(token) == "", text
        assert cluster.log_in(issuer.token()) == A, text
    # At every length: nothing that the whole file refuses is let in by a part of it.
    for n in range(len(good) - 12, len(good)):
        cluster.policies(good[:n])
        assert cluster.log_in(issuer.token()) == A, good[:n]
    assert "must end with a newline" in cluster.logged()
    cluster.policies(good.replace("\n", "\r"))
    assert cluster.log_in(token) == A
    cluster.policies(good + "#" * 65536 + "\n")
    assert cluster.log_in(token) == A
    cluster.policies(good + "[x]\n" * 15000)
    assert cluster.log_in(token) == ""


def test_scopes_of_a_line(cluster: Cluster, issuer: Issuer) -> None:
    """Several scopes are all demanded, however many blanks are between them."""
    scope = "db:read   db:write"
    cluster.policies(cluster.policy(issuer, scope=scope))
    cluster.hba(cluster.line(issuer.url, scope=scope))
    cluster.reload()
    assert cluster.log_in(issuer.token(scope="x db:write db:read")) == ""
    for lacking in ("db:read", "db:write", "db:readdb:write", ""):
        assert cluster.log_in(issuer.token(scope=lacking)) == A, lacking
    # Bytes are compared: this is no line of that policy.
    cluster.policies(cluster.policy(issuer, scope="db:read db:write"))
    assert cluster.log_in(issuer.token(scope="db:write db:read")) == A
    # And without a scope or an issuer PostgreSQL refuses the line.
    for lacking in (f"issuer={issuer.url}", 'scope="db:read"'):
        before = cluster.logged().count("pg_hba.conf was not reloaded")
        cluster.hba(f"host all app_a 127.0.0.1/32 oauth {lacking}")
        cluster.reload()
        wait_for(
            "a complaint",
            lambda n=before: cluster.logged().count("pg_hba.conf was not reloaded") > n,  # type: ignore[misc]
        )


def test_a_reload_of_a_broken_line(cluster: Cluster, issuer: Issuer) -> None:
    """PostgreSQL keeps the lines it has when one of the new ones is broken."""
    assert cluster.log_in(issuer.token()) == ""
    cluster.hba(cluster.line(issuer.url), 'host all app_b 127.0.0.1/32 oauth issuer="x"')
    cluster.reload()
    wait_for("a complaint", lambda: "pg_hba.conf was not reloaded" in cluster.logged())
    assert cluster.log_in(issuer.token()) == ""


def test_another_file(cluster: Cluster, issuer: Issuer) -> None:
    """gatekey.policies names it, and a user cannot."""
    cluster.write("other.conf", cluster.policy(issuer))
    cluster.policies("")
    cluster.stop()
    cluster.start(**{"gatekey.policies": "'other.conf'"})
    assert cluster.log_in(issuer.token()) == ""
    cluster.stop()
    cluster.start()
    assert cluster.log_in(issuer.token()) == A


def test_preloaded(cluster: Cluster, issuer: Issuer) -> None:
    """Loaded by the postmaster it does the same, with less work for each log-in."""
    cluster.stop()
    cluster.start(shared_preload_libraries="'gatekey_validator'")
    assert [cluster.log_in(issuer.token()) for _ in range(3)] == ["", "", ""]
    assert cluster.log_in(issuer.token(aud="x")) == A
    cluster.stop()
    cluster.start()
