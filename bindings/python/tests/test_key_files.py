"""Key files as people have them, and what is no key, named.

After editors and environment variables, under a passphrase, of OpenSSH.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gatekey import Key, KeySet, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

PEM, DER, SSH = (
    serialization.Encoding.PEM,
    serialization.Encoding.DER,
    serialization.Encoding.OpenSSH,
)
PKCS8, OPENSSH = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.OpenSSH
PLAIN = serialization.NoEncryption()
PASSPHRASE = "correct horse"


def files() -> dict[str, str]:
    """The keys that C and Rust read, too."""
    path = Path(__file__).parents[3] / "tests" / "vectors" / "encrypted_keys.txt"
    entries = path.read_text().split("\n== ")[1:]
    return {name: text for name, _, text in (entry.partition("\n") for entry in entries)}


THEIRS: list[tuple[Any, str]] = [
    (ec.generate_private_key(ec.SECP256R1()), "ES256"),
    (ec.generate_private_key(ec.SECP384R1()), "ES384"),
    (ec.generate_private_key(ec.SECP521R1()), "ES512"),
    (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    (rsa.generate_private_key(65537, 2048), "PS256"),
]


@pytest.mark.parametrize(("theirs", "alg"), THEIRS)
def test_what_cryptography_writes_is_read(theirs: Any, alg: str) -> None:
    expected = Key.from_pem(theirs.private_bytes(PEM, PKCS8, PLAIN), alg)
    best = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    pem, der = (theirs.private_bytes(encoding, PKCS8, best) for encoding in (PEM, DER))
    assert Key.from_pem(pem, alg, passphrase=PASSPHRASE) == expected
    assert Key.from_pem(pem.decode(), alg, passphrase=PASSPHRASE.encode()) == expected
    assert Key.from_der(der, alg, passphrase=PASSPHRASE) == expected
    with pytest.raises(exceptions.PassphraseRequiredError, match="passphrase"):
        Key.from_pem(pem, alg)
    with pytest.raises(exceptions.PassphraseRequiredError, match="passphrase"):
        Key.from_der(der, alg)
    with pytest.raises(exceptions.WrongPassphraseError) as raised:
        Key.from_pem(pem, alg, passphrase="wrong horse")
    assert "horse" not in str(raised.value)
    with pytest.raises(exceptions.WrongPassphraseError):
        Key.from_der(der, alg, passphrase="wrong horse")
    assert Key.from_pem(theirs.private_bytes(PEM, OPENSSH, PLAIN), alg) == expected
    line = theirs.public_key().public_bytes(SSH, serialization.PublicFormat.OpenSSH)
    assert Key.from_pem(line, alg) == expected.public()


@pytest.mark.parametrize(
    "name", ["pkcs8.scrypt", "ssh.ed25519.encrypted", "ssh.ecdsa256.encrypted"]
)
def test_passphrases(name: str) -> None:
    text = files()[name]
    assert Key.from_pem(text, passphrase=PASSPHRASE, kid="a").kid == "a"
    with pytest.raises(exceptions.PassphraseRequiredError):
        Key.from_pem(text, passphrase="")
    with pytest.raises(TypeError, match="passphrase"):
        Key.from_pem(text, passphrase=7)  # type: ignore[arg-type]
    plain = Key.generate("ES256").to_pem(private=True)
    assert Key.from_pem(plain, passphrase=PASSPHRASE).is_private


def test_costs_are_bounded() -> None:
    with pytest.raises(exceptions.UnsupportedKeyError, match="10,000,000 iterations"):
        Key.from_pem(files()["costly.pbkdf2"], passphrase=PASSPHRASE)


WRITTEN: dict[str, Callable[[str], str]] = {
    "written-out line breaks": lambda text: text.replace("\n", "\\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "no line breaks": lambda text: text.replace("\n", ""),
    "spaces": lambda text: text.replace("\n", " "),
    "indented": lambda text: "  " + text.replace("\n", "\n  "),
    "repr": lambda text: repr(text.encode()),
    "JSON": lambda text: json.dumps({"private_key": text}),
    "text around it": lambda text: f"Bag Attributes\n{text}\nthe end\n",
}


@pytest.mark.parametrize("what", WRITTEN)
def test_texts(what: str) -> None:
    key = Key.generate("ES384")
    assert Key.from_pem(WRITTEN[what](key.to_pem(private=True))) == key
    assert Key.from_pem(WRITTEN[what](key.to_pem()).encode()) == key.public()


def test_what_is_no_key_is_named() -> None:
    key = Key.generate("ES256")
    text = key.to_pem()
    for given, words in (
        ("/etc/ssl/key.pem", "path of a file"),
        ("https://example.com/key.pem", "URL"),
        (base64.b64encode(text.encode()), "PEM text in base64"),
        (text.encode("utf-16"), "UTF-16"),
        (json.dumps(key.to_jwk()), "from_jwk"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", "keytool"),
        ("", "Nothing was given"),
    ):
        with pytest.raises(exceptions.InvalidKeyError, match=words):
            Key.from_pem(given)
    with pytest.raises(exceptions.InvalidKeyError, match="from_pem"):
        Key.from_jwk(text)
    with pytest.raises(exceptions.InvalidKeyError, match="from_pem"):
        Key.from_der(text.encode())


def test_whatever_can_be_read_is_no_secret() -> None:
    texts = [text for name, text in files().items() if not name.startswith("costly")]
    assert len(texts) > 40
    texts += [change(texts[0]) for change in WRITTEN.values()]
    for text in texts:
        for secret in (text.encode(), base64.b64encode(text.encode()), text.encode("utf-16")):
            with pytest.raises(exceptions.SecretLooksLikeKeyError):
                Key.from_secret(secret, "HS256")
            k = base64.urlsafe_b64encode(secret).decode().rstrip("=")
            jwk = {"kty": "oct", "alg": "HS256", "k": k}
            with pytest.raises(exceptions.SecretLooksLikeKeyError):
                Key.from_jwk(jwk)
            assert len(KeySet.from_jwks({"keys": [jwk]}).skipped) == 1


def test_a_private_jwk_may_have_n_e_and_d_alone() -> None:
    key = Key.generate("RS256")
    jwk = key.to_jwk(private=True)
    short = {name: value for name, value in jwk.items() if name not in {"p", "q", "dp", "dq", "qi"}}
    assert Key.from_jwk(short) == key
    reasons = [one.reason for one in KeySet.from_jwks({"keys": [short]}).skipped]
    assert len(reasons) == 1
    assert "by itself" in str(reasons[0])


def test_a_zero_before_the_modulus_and_the_names_of_key_vault() -> None:
    key = Key.generate("RS256")
    jwk = key.to_jwk()
    n = base64.urlsafe_b64decode(jwk["n"] + "==")
    signed = base64.urlsafe_b64encode(b"\0" + n).decode().rstrip("=")
    again = Key.from_jwk({**jwk, "n": signed})
    assert again == key.public()
    assert again.to_jwk() == jwk
    six = ["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"]
    vault = {"kty": "RSA-HSM", "key_ops": six, "n": jwk["n"], "e": jwk["e"], "kid": jwk["kid"]}
    assert Key.from_jwk(vault, "RS256") == key.public()


def test_what_is_no_bytes_is_told_where_it_belongs(tmp_path: Path) -> None:
    pem = Key.generate("ES256").to_pem()
    place = tmp_path / "key.pem"
    place.write_text(pem)
    with pytest.raises(TypeError, match="content of the file"):
        Key.from_pem(place)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="content of the file"):
        Key.from_secret(place, "HS256")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="from_pem"):
        Key.from_der(pem)  # type: ignore[arg-type]
