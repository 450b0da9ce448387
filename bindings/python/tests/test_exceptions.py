"""The tree of errors: every kind has its class, and PyJWT's tree is kept."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
from pathlib import Path

import jwt.exceptions
import pytest
from forge import forge, secret_key

from gatekey import Key, Signer, Verifier, exceptions

CLASSES = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type) and issubclass(value, exceptions.GatekeyError)
]
KIND_RS = Path(__file__).parents[3] / "src" / "error" / "kind.rs"
NO_COUNTERPART = {
    "MissingCryptographyError",
    "PyJWKClientConnectionError",
    "PyJWKClientError",
    "PyJWKError",
    "PyJWKSetError",
}


def rust_kinds() -> list[tuple[str, int, str, str, int, str]]:
    row = re.compile(r'^ {4}(\w+) = (\d+), "(\w+)", "(\w+)", \w+ (\d+) (Retry|Final) \w+,$', re.M)
    found = row.findall(KIND_RS.read_text())
    return [
        (n, int(number), code, cls, int(status), late)
        for n, number, code, cls, status, late in found
    ]


def test_the_table_is_found() -> None:
    assert len(rust_kinds()) > 25


@pytest.mark.parametrize(("name", "number", "code", "cls", "status", "late"), rust_kinds())
def test_every_kind_has_its_class(
    name: str, number: int, code: str, cls: str, status: int, late: str
) -> None:
    found = getattr(exceptions, cls)
    assert (found.kind, found.number, found.code) == (name, number, code)
    assert (found.status, found.retryable) == (status, late == "Retry")
    assert issubclass(found, exceptions.GatekeyError)
    assert issubclass(found, exceptions.InvalidTokenError) == (1000 <= number < 2000)
    assert issubclass(found, exceptions.InvalidKeyError) == (2000 <= number < 3000)


def test_no_two_kinds_share_a_class() -> None:
    classes = [cls for _, _, _, cls, _, _ in rust_kinds()]
    assert len(classes) == len(set(classes))


def test_all_lists_every_class() -> None:
    assert {cls.__name__ for cls in CLASSES} | {"PyJWTError"} == set(exceptions.__all__)


ATTRIBUTES: dict[str, type | tuple[type, ...]] = {
    "number": int,
    "code": str,
    "kind": str,
    "status": int,
    "retryable": bool,
    "retry_after": (float, type(None)),
    "headers": dict,
    "www_authenticate": (str, type(None)),
    "public_message": str,
    "claim": (str, type(None)),
    "key_id": (str, type(None)),
    "peer_code": (str, type(None)),
    "peer_message": (str, type(None)),
}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_has_the_same_attributes(cls: type[exceptions.GatekeyError]) -> None:
    error = cls("for the log: key 7 of tenant acme")
    for name, kind in ATTRIBUTES.items():
        assert isinstance(getattr(error, name), kind), name
    assert 400 <= error.status < 600
    # What a stranger reads is of a few kinds, and holds nothing of the message.
    assert error.public_message
    assert "acme" not in error.public_message
    assert error.headers["Cache-Control"] == "no-store"
    # RFC 9110 section 15.5.2: a 401 has a challenge.
    if error.status == 401:
        assert error.headers["WWW-Authenticate"].startswith("Bearer")
    assert error.www_authenticate == error.headers.get("WWW-Authenticate")
    assert "Retry-After" not in error.headers
    error.retry_after = 1.2
    assert error.headers.get("Retry-After") == ("2" if error.status in {429, 503} else None)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert (again.headers, again.retry_after) == (error.headers, 1.2)


def test_a_stranger_does_not_learn_which_check_failed() -> None:
    for root in (exceptions.InvalidTokenError, exceptions.ApiKeyError):
        refusals = [cls() for cls in CLASSES if issubclass(cls, root) and cls.status == 401]
        assert len(refusals) > 5
        assert len({error.public_message for error in refusals}) == 1
        assert len({error.www_authenticate for error in refusals}) == 1
    scope = exceptions.InsufficientScopeError()
    assert scope.www_authenticate
    assert scope.www_authenticate.startswith('Bearer error="insufficient_scope"')
    # RFC 6750 section 3.1: who has presented nothing is told of no error.
    assert exceptions.MissingCredentialsError().www_authenticate == "Bearer"


def test_the_message_names_what_it_is_about(key: Key) -> None:
    signer = Signer(key, audience="one")
    with pytest.raises(exceptions.InvalidAudienceError) as caught:
        Verifier(key, audience="two").verify(signer.sign({}))
    assert str(caught.value).count("`aud`") == 1
    assert str(caught.value).endswith("(`aud` is `one`, expected `two`)")
    assert caught.value.claim == "aud"
    with pytest.raises(exceptions.MissingRequiredClaimError, match=r"\(`seat`\)"):
        Verifier(key, audience="one", required=["seat"]).verify(signer.sign({}))


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_is_documented_and_listed_in_the_tree(cls: type) -> None:
    assert cls.__doc__
    assert cls.__name__ in (exceptions.__doc__ or "")
    assert cls.__module__ == "gatekey.exceptions"


def pyjwt_classes() -> list[type]:
    members = vars(jwt.exceptions).values()
    return [cls for cls in members if inspect.isclass(cls) and issubclass(cls, Exception)]


@pytest.mark.parametrize("theirs", pyjwt_classes())
def test_names_and_tree_of_pyjwt(theirs: type) -> None:
    if theirs.__name__ in NO_COUNTERPART:
        assert not hasattr(exceptions, theirs.__name__)
        return
    ours = getattr(exceptions, theirs.__name__)
    for parent in theirs.__mro__[1:]:
        if parent.__module__ == "jwt.exceptions":
            assert issubclass(ours, getattr(exceptions, parent.__name__))


def test_key_not_found_is_a_key_error_with_a_readable_message() -> None:
    error = exceptions.KeyNotFoundError("No such key.")
    assert isinstance(error, KeyError)
    assert str(error) == "No such key."


def test_usage_errors_are_value_errors() -> None:
    assert issubclass(exceptions.UsageError, ValueError)
    assert issubclass(exceptions.ConfigurationError, ValueError)


def test_a_missing_claim_is_named(key: Key) -> None:
    token = Signer(key, ttl=None, allow_missing_exp=True).sign({})
    with pytest.raises(exceptions.MissingRequiredClaimError) as caught:
        Verifier(key).verify(token)
    assert caught.value.claim == "exp"
    assert caught.value.number == 1008
    assert caught.value.args == (str(caught.value),)


def test_errors_can_be_pickled_and_copied(key: Key) -> None:
    token = Signer(key, ttl=None, allow_missing_exp=True).sign({})
    with pytest.raises(exceptions.MissingRequiredClaimError) as caught:
        Verifier(key).verify(token)
    for again in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):  # noqa: S301
        assert type(again) is type(caught.value)
        assert (again.claim, again.args) == ("exp", caught.value.args)


def test_a_claim_is_none_where_there_is_none(token: str) -> None:
    with pytest.raises(exceptions.InvalidSignatureError) as caught:
        Verifier(Key.generate("ES256")).verify(token)
    assert caught.value.claim is None


def test_a_jti_of_a_wrong_type_has_pyjwts_class() -> None:
    with pytest.raises(exceptions.InvalidJTIError) as caught:
        Verifier(secret_key()).verify(forge(b'{"jti":7,"exp":4102444800}'))
    error = caught.value
    assert (error.number, error.kind, error.claim) == (1009, "InvalidClaim", "jti")


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "nbf", "iat"])
def test_a_claim_of_a_wrong_type_is_named(claim: str) -> None:
    payload = {"exp": 4102444800, claim: {"not": "this"}}
    with pytest.raises(exceptions.InvalidClaimError) as caught:
        Verifier(secret_key()).verify(forge(json.dumps(payload).encode()))
    assert caught.value.claim == claim
