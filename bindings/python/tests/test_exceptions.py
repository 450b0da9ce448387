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
    row = re.compile(
        r'^ {4}(\w+) = (\d+), "(\w+)", "(\w+)", \w+ (\d+) (Retry|Final), ".+";$', re.M
    )
    found = row.findall(KIND_RS.read_text())
    return [(n, int(number), code, cls, int(status), late) for n, number, code, cls, status, late in found]


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
