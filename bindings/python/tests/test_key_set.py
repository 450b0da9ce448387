"""Key sets: in and out as JWKS, looked up by kid, selected from by tokens."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from gatekey import Key, KeySet, RemoteKeySet, Signer, SkippedKey, Verifier, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def keys(key_for: Callable[[str], Key]) -> list[Key]:
    return [key_for(alg) for alg in ("ES256", "EdDSA", "PS256")]


def test_contents(keys: list[Key]) -> None:
    keyset = KeySet(keys)
    assert len(keyset) == 3
    assert list(keyset) == keys
    assert keyset.skipped == ()
    for key in keys:
        assert keyset[key.kid] == key
        assert key.kid in keyset
        assert key in keyset
    assert Key.generate("ES256") not in keyset
    assert "nobody" not in keyset
    assert 7 not in keyset  # type: ignore[operator]


def test_any_iterable_makes_one(keys: list[Key]) -> None:
    assert len(KeySet(iter(keys))) == 3
    assert len(KeySet([])) == 0
    with pytest.raises(TypeError):
        KeySet(keys[0])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        KeySet(["key"])  # type: ignore[list-item]


def test_an_unknown_kid(keys: list[Key]) -> None:
    keyset = KeySet(keys)
    with pytest.raises(KeyError):
        keyset["nobody"]
    with pytest.raises(exceptions.KeyNotFoundError) as caught:
        keyset["nobody"]
    assert "nobody" not in str(caught.value)
    with pytest.raises(TypeError):
        keyset[0]  # type: ignore[index]


def test_jwks_round_trip(keys: list[Key]) -> None:
    jwks = KeySet(keys).to_jwks()
    assert all("d" not in jwk for jwk in jwks["keys"])
    for form in (jwks, json.dumps(jwks), json.dumps(jwks).encode()):
        assert list(KeySet.from_jwks(form)) == [key.public() for key in keys]
    private = KeySet(keys).to_jwks(private=True)
    assert list(KeySet.from_jwks(private)) == keys


def test_secrets_leave_only_when_asked(secret: Key) -> None:
    keyset = KeySet([secret])
    with pytest.raises(exceptions.KeyUsageError):
        keyset.to_jwks()
    assert list(KeySet.from_jwks(keyset.to_jwks(private=True))) == [secret]


def test_unusable_members_are_skipped_and_explained(keys: list[Key]) -> None:
    jwks = KeySet(keys).to_jwks()
    jwks["keys"] += [{"kty": "EC", "crv": "P-256", "kid": "k"}, {"kty": "new"}]
    keyset = KeySet.from_jwks(jwks)
    assert len(keyset) == 3
    assert [member.kid for member in keyset.skipped] == ["k", None]
    first, second = (member.reason for member in keyset.skipped)
    assert type(first) is exceptions.InvalidKeyError
    assert type(second) is exceptions.UnsupportedKeyError
    with pytest.raises(KeyError):
        keyset["k"]
    assert "k" not in keyset
    again = pickle.loads(pickle.dumps(keyset.skipped))  # noqa: S301
    assert again[0].kid == "k"


def test_a_token_of_a_skipped_key_is_told_why(key_for: Callable[[str], Key]) -> None:
    key = key_for("RS256").with_kid("entra")
    jwk = {name: value for name, value in key.to_jwk().items() if name != "alg"}
    keyset = KeySet.from_jwks({"keys": [jwk, Key.generate("ES256").to_jwk()]})
    with pytest.raises(exceptions.UnusableKeyError, match="entra") as caught:
        Verifier(keyset).verify(Signer(key).sign({}))
    skipped = caught.value.skipped
    assert isinstance(skipped, SkippedKey)
    assert (skipped.kid, type(skipped.reason)) == ("entra", exceptions.AlgorithmRequiredError)
    assert str(skipped.reason) in str(caught.value)
    assert (caught.value.claim, caught.value.status) == ("kid", 401)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert again.skipped.kid == "entra"
    with pytest.raises(exceptions.ConfigurationError, match="entra") as none:
        Verifier(KeySet.from_jwks({"keys": [jwk]}))
    assert none.value.skipped is not None
    assert none.value.skipped.kid == "entra"


def test_the_same_key_twice_is_one_and_a_shared_name_is_ambiguous() -> None:
    one, two = (Key.generate("ES256", kid="k") for _ in range(2))
    assert len(KeySet([one, one])) == 1
    assert len(KeySet.from_jwks({"keys": [one.to_jwk(), one.to_jwk()]})) == 1
    assert Verifier([one, one]).verify(Signer(one).sign({})).key_id == "k"
    with pytest.raises(exceptions.AmbiguousKeyError, match="share"):
        Verifier([one, two]).verify(Signer(one).sign({}))
    shared = KeySet.from_jwks({"keys": [one.to_jwk(), {"kty": "RSA", "kid": "k"}]})
    with pytest.raises(exceptions.AmbiguousKeyError, match="skipped"):
        Verifier(shared).verify(Signer(one).sign({}))
    fine = KeySet.from_jwks({"keys": [one.to_jwk(), {"kty": "RSA", "kid": "k", "use": "enc"}]})
    assert Verifier(fine).verify(Signer(one).sign({})).key_id == "k"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<html>", "page"),
        ("\ufeff{}", "byte order mark"),
        ('{"keys":[' + "1," * 100 + "1]}", "100"),
    ],
)
def test_what_is_not_a_set_is_named(text: str, told: str) -> None:
    with pytest.raises(exceptions.InvalidKeyError, match=told):
        KeySet.from_jwks(text)


def test_rsa_members_without_an_algorithm(key_for: Callable[[str], Key]) -> None:
    jwk = key_for("RS256").to_jwk()
    jwk.pop("alg", None)
    assert len(KeySet.from_jwks({"keys": [jwk]}).skipped) == 1
    [key] = KeySet.from_jwks({"keys": [jwk]}, default_rsa="RS256")
    assert key == key_for("RS256").public()


def test_never_mixed(key: Key, secret: Key) -> None:
    with pytest.raises(exceptions.MixedKeySetError):
        KeySet([key, secret])


@pytest.mark.parametrize("jwks", [{}, "", "[]", {"keys": {}}, "nonsense", '{"keys":[],"keys":[]}'])
def test_bad_sets(jwks: dict[str, Any] | str) -> None:
    with pytest.raises(exceptions.InvalidKeyError):
        KeySet.from_jwks(jwks)


def test_selection_by_kid(keys: list[Key]) -> None:
    verifier = Verifier(KeySet(keys))
    for key in keys:
        assert verifier.verify(Signer(key).sign({})).key_id == key.kid
    with pytest.raises(exceptions.KeyNotFoundError):
        verifier.verify(Signer(Key.generate("ES256")).sign({}))


def test_selection_without_kid() -> None:
    one, two, other = Key.generate("ES256"), Key.generate("ES256"), Key.generate("EdDSA")
    token = Signer(two, kid=False).sign({})
    with pytest.raises(exceptions.AmbiguousKeyError):
        Verifier([one, two, other]).verify(token)
    assert Verifier([one, two, other], try_keys_without_kid=True).verify(token).key_id == two.kid
    assert Verifier([two, other]).verify(token).key_id == two.kid


def test_repr(keys: list[Key]) -> None:
    assert repr(KeySet(keys)) == "<gatekey.KeySet of 3: ES256, EdDSA, PS256>"


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_not_pickled_nor_copied(attempt: Callable[[Any], object], keys: list[Key]) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        attempt(KeySet(keys))


def test_remote_keys_tell_what_they_skip() -> None:
    keys = RemoteKeySet("https://auth.example/jwks")
    assert list(keys.skipped) == []
    operation = keys._refresh()
    operation.step()
    published = {"keys": [Key.generate("ES256").to_jwk(), {"kty": "RSA", "kid": "old"}]}
    operation.feed((200, [], json.dumps(published).encode()))
    assert operation.step() is None
    [member] = keys.skipped
    assert (member.kid, type(member.reason)) == ("old", exceptions.InvalidKeyError)
