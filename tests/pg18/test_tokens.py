"""Which tokens log in, which roles they may take, and what is told of those that do not."""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING

import pytest
from cluster import AUDIENCE, SENTENCE, Client, Cluster, Issuer, holds_nothing_of
from cryptography.hazmat.primitives.asymmetric import ec

from gatekey import Revocations

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = int(time.time())


def with_alg(issuer: Issuer, alg: str) -> str:
    """Make a good token's claims one without signature, or signed with the public key's JWK."""

    def part(value: bytes) -> bytes:
        return urlsafe_b64encode(value).rstrip(b"=")

    claims = issuer.token().split(".")[1].encode()
    signed = part(dumps({"alg": alg, "typ": "at+jwt", "kid": "one"}).encode()) + b"." + claims
    mac = hmac.digest(dumps(issuer.public("one")).encode(), signed, sha256)
    return (signed + b"." + (part(mac) if alg == "HS256" else b"")).decode()


REFUSED: dict[str, Callable[[Issuer], str]] = {
    "audience": lambda i: i.token(aud="https://other.example.test"),
    "no_audience": lambda i: i.token(aud=None),
    "key": lambda i: i.token(key=ec.generate_private_key(ec.SECP256R1())),
    "type": lambda i: i.token(head={"typ": "JWT"}),
    "no_type": lambda i: i.token(head={"typ": None}),
    "id_token": lambda i: i.token(head={"typ": "JWT"}, scope=None, nonce="n", at_hash="h"),
    "refresh_token": lambda i: i.token(head={"typ": "rt+jwt"}),
    "scope": lambda i: i.token(scope="db:reader"),
    "no_scope": lambda i: i.token(scope=None),
    "issuer": lambda i: i.token(iss="https://login.example.test"),
    "issuer_with_a_slash": lambda i: i.token(iss=i.url + "/"),
    "expired": lambda i: i.token(exp=NOW - 31, iat=NOW - 60),
    "no_end": lambda i: i.token(exp=None),
    "not_yet": lambda i: i.token(nbf=NOW + 600),
    "ten_years": lambda i: i.token(exp=NOW + 3650 * 86400),
    "no_beginning": lambda i: i.token(iat=None),
    "hs256_with_the_public_key": lambda i: with_alg(i, "HS256"),
    "none": lambda i: with_alg(i, "none"),
    "opaque": lambda _: "0123456789abcdefghijklmnopqrstuv",
    "subject_with_a_newline": lambda i: i.token(sub="a\nLOG:  all is well"),
    "no_subject": lambda i: i.token(sub=None),
    "role": lambda i: i.token(db_roles=["app_b"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(cluster: Cluster, issuer: Issuer, name: str) -> None:
    """Out, with one sentence, and nothing of the token anywhere (rows C10 and C14)."""
    cluster.policies(cluster.policy(issuer, max_life=3600))
    assert cluster.log_in(issuer.token()) == ""
    token = REFUSED[name](issuer)
    with cluster.watched(token) as logged:
        client = Client(cluster.port, "app_a", token)
        assert client.error == SENTENCE.format("app_a")
        assert logged().count("gatekey: no log-in as") == 1, logged()
    holds_nothing_of(token, client.raw_error.decode() + client.challenge.decode())


def test_good_ones(cluster: Cluster, issuer: Issuer) -> None:
    """In, with the issuer and the subject as who it is, and nothing of the token there."""
    for claims in ({}, {"aud": [AUDIENCE, "https://other.example.test"]}, {"db_roles": "app_a"}):
        token = issuer.token(**claims)
        with cluster.watched(token):
            client = Client(cluster.port, "app_a", token)
            assert client.error == ""
            who = client.ask("SELECT system_user")
            client.close()
        assert who == f"oauth:{issuer.url}#alice"
        holds_nothing_of(token, who)


def test_an_end_is_an_end(cluster: Cluster, issuer: Issuer) -> None:
    """Without leeway a token is out when it has expired a second ago."""
    cluster.policies(cluster.policy(issuer, leeway=0))
    assert cluster.log_in(issuer.token()) == ""
    assert cluster.log_in(issuer.token(exp=int(time.time()) - 1)) == SENTENCE.format("app_a")


def test_another_type_and_client(cluster: Cluster, issuer: Issuer) -> None:
    """What a policy names is taken, and nothing else."""
    cluster.policies(cluster.policy(issuer, token_type=["JWT"], client=["shop", "till"]))
    assert cluster.log_in(issuer.token(head={"typ": "JWT"})) == ""
    assert cluster.log_in(issuer.token()) != ""
    assert cluster.log_in(issuer.token(head={"typ": "JWT"}, client_id="evil")) != ""


def test_revoked(cluster: Cluster, issuer: Issuer) -> None:
    """A token that a store of gatekey's has on its list is out."""
    store = cluster.data / "revoked.sqlite"
    url = f"sqlite:///{store}?mark=none"
    revocations = Revocations.open(url)
    token = issuer.token(jti="j-1")
    cluster.policies(cluster.policy(issuer, revocations=url))
    for path in cluster.data.glob("revoked.sqlite*"):
        path.chmod(0o666)
    assert cluster.log_in(token) == "", cluster.logged()[-3000:]
    revocations.revoke_token(issuer.url, "j-1", NOW + 300)
    assert cluster.log_in(token) == SENTENCE.format("app_a")
    assert cluster.log_in(issuer.token(jti="j-2")) == ""


# ---- roles ----

LONG = "A" * 63


@pytest.mark.parametrize(
    ("user", "claim"),
    [
        ("app_a", "App_a"),
        ("app_a", "app_a "),
        ("app_a", "app_a\0x"),
        ("app_a", ["app_", "a"]),
        ("app_a", {"app_a": True}),
        ("app_a", 7),
        ("app_a", True),
        ("app_a", [7, None, ["app_a"], {"app_a": "app_a"}, "APP_A"]),
        ("app_a", "app_a,app_b"),
        ("app_a", "app_a app_b"),
        (LONG, LONG + "A"),
        (LONG, LONG[1:]),
        ("app_a", None),
        (LONG, LONG + "A" * 7),
        ("Postgres", "postgres"),
        ("postgres", "postgres"),
        ("admin", "admin"),
    ],
)
def test_roles_that_are_not_granted(
    cluster: Cluster, issuer: Issuer, user: str, claim: object
) -> None:
    """Bytes are equal or they are not, and a role that no setting names is nobody's (row C11)."""
    cluster.policies(cluster.policy(issuer, role=["app_a", LONG, "Postgres"]))
    cluster.hba(cluster.line(issuer.url, user))
    cluster.reload()
    assert cluster.log_in(issuer.token(db_roles=claim), user) == SENTENCE.format(user)
    assert "does not grant this role" in cluster.logged()


def test_roles_by_value(cluster: Cluster, issuer: Issuer) -> None:
    """A setting may name the value, with blanks, of a nested claim; the longest name fits."""
    roles = ["app_a DB Readers", LONG]
    cluster.policies(cluster.policy(issuer, role_claim="realm roles", role=roles))
    cluster.hba(cluster.line(issuer.url), cluster.line(issuer.url, LONG))
    cluster.reload()

    def said(*values: str) -> str:
        return issuer.token(realm={"roles": list(values)})

    assert cluster.log_in(said("x", "DB Readers")) == ""
    assert cluster.log_in(said("app_a")) != ""
    assert cluster.log_in(said("DB Readers "), "app_a") != ""
    assert cluster.log_in(said(LONG), LONG) == ""


def test_delegation_needs_a_rule(cluster: Cluster, issuer: Issuer) -> None:
    """Without role_claim a line that delegates lets nobody in."""
    cluster.policies(cluster.policy(issuer, role_claim=None, role=None))
    assert cluster.log_in(issuer.token()) == SENTENCE.format("app_a")
    assert "which delegate_ident_mapping needs" in cluster.logged()


def test_a_map(cluster: Cluster, issuer: Issuer) -> None:
    """pg_ident.conf maps the issuer and the subject; two subjects never look alike."""
    cluster.policies(cluster.policy(issuer, role_claim=None, role=None))
    cluster.hba(cluster.line(issuer.url, more="map=m"))
    cluster.write("pg_ident.conf", f'm "{issuer.url}#bob@a" app_a\n')
    cluster.reload()
    assert cluster.log_in(issuer.token(sub="bob@a")) == ""
    for sub in ("bob@b", "bob", "Bob@a", "bob@a ", "alice"):
        assert cluster.log_in(issuer.token(sub=sub)) == SENTENCE.format("app_a"), sub
    # A line without a map wants an identity that is a role's name: an issuer's never is.
    cluster.hba(cluster.line(issuer.url, more="validator=gatekey_validator"))
    cluster.reload()
    assert cluster.log_in(issuer.token(sub="app_a")) == SENTENCE.format("app_a")


def test_odd_messages(cluster: Cluster, issuer: Issuer) -> None:
    """What is no token gets no further than the server, which lives on."""
    for sent in (b"", b"a b", b"\xff\xfe", b"x" * 60000, b"a.b.c=", b"..", b"a\x01auth=Bearer b"):
        assert Client(cluster.port, "app_a", sent).error != "", sent
    assert cluster.log_in(issuer.token()) == ""
