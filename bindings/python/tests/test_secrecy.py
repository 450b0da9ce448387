"""No secret, no token and nothing a stranger wrote is in any repr, message, argument or note."""

from __future__ import annotations

import base64
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from forge import SECRET, forge, secret_key

from gatekey import Key, KeySet, Signer, Verifier, danger_decode_unverified, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "hunter2-hunter2-hunter2-hunter2-"


def strings(value: object, depth: int = 0) -> list[str]:
    """Every text that hangs on an exception."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, bytes):
        return [value.decode("latin-1")]
    if isinstance(value, BaseException):
        parts: list[object] = [*value.args, str(value), repr(value), vars(value), value.__cause__]
        parts += [value.__context__, "".join(traceback.format_exception_only(value))]
        parts += [getattr(value, "object", None), getattr(value, "__notes__", None)]
    elif isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set)):
        parts = list(value)
    else:
        return [repr(value)]
    return [text for part in parts for text in strings(part, depth + 1)] if depth < 6 else []


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except Exception as error:  # noqa: BLE001
        return error
    pytest.fail("nothing was raised")


def clean(error: BaseException, *secrets: str) -> None:
    for text in strings(error):
        assert len(text) <= 400
        for secret in secrets:
            assert secret not in text


LOUD: Any = MARK + "\ud800"


@pytest.mark.parametrize(
    "call",
    [
        lambda: Key.from_secret(MARK[:20], "HS256"),
        lambda: Key.from_secret(LOUD, "HS256"),
        lambda: Key.from_secret(MARK, "ES256"),
        lambda: Key.from_secret("HS256", MARK),
        lambda: Key.from_secret("HS256", MARK + "\n"),
        lambda: Key.from_secret([MARK], "HS256"),  # type: ignore[arg-type]
        lambda: Key.from_secret(bytearray(MARK, "ascii"), "HS256"),  # type: ignore[arg-type]
        lambda: Key.from_secret("-----BEGIN PUBLIC KEY-----" + MARK, "HS256"),
        lambda: Key.from_pem(MARK),
        lambda: Key.from_pem(LOUD),
        lambda: Key.from_pem("-----BEGIN PRIVATE KEY-----\n" + MARK),
        lambda: Key.from_der(MARK.encode()),
        lambda: Key.from_der(MARK),  # type: ignore[arg-type]
        lambda: Key.from_jwk(MARK),
        lambda: Key.from_jwk(LOUD),
        lambda: Key.from_jwk({"kty": MARK}),
        lambda: Key.from_jwk({"kty": "oct", "k": MARK[:16], "alg": "HS256"}),
        lambda: Key.from_jwk({"kty": "oct", "k": LOUD, "alg": "HS256"}),
        lambda: Key.from_jwk({"kty": "oct", "k": {MARK}, "alg": "HS256"}),
        lambda: Key.from_jwk({"kty": "oct", "k": MARK, "alg": MARK}),
        lambda: Key.generate(MARK),
        lambda: Key.generate("ES256", kid=MARK * 10),
        lambda: KeySet.from_jwks(MARK),
        lambda: KeySet.from_jwks({"keys": MARK}),
        lambda: KeySet([MARK]),  # type: ignore[list-item]
        lambda: KeySet([secret_key()])[MARK],
        lambda: Signer(MARK),  # type: ignore[arg-type]
        lambda: Signer(secret_key(), ttl=MARK),  # type: ignore[arg-type]
        lambda: Signer(secret_key()).sign({"a": LOUD}),
        lambda: Signer(secret_key()).sign({"a": {MARK}}),
        lambda: Signer(secret_key()).sign({"exp": MARK}),
        lambda: Signer(secret_key()).sign(MARK),  # type: ignore[arg-type]
        lambda: Verifier(MARK),  # type: ignore[arg-type]
        lambda: Verifier(secret_key(), issuer=MARK, audience="a").verify(forge(b'{"exp":1}')),
        lambda: Verifier(secret_key()).verify(MARK),
        lambda: Verifier(secret_key()).verify(LOUD),
        lambda: Verifier(secret_key()).verify(MARK.encode() + b"\xff"),
        lambda: Verifier(secret_key()).verify(bytearray(MARK, "ascii")),  # type: ignore[arg-type]
        lambda: danger_decode_unverified(MARK + ".." + MARK),
        lambda: danger_decode_unverified(LOUD),
    ],
)
def test_no_argument_is_echoed(call: Callable[[], object]) -> None:
    clean(raised(call), MARK[:16], repr(MARK)[1:17])


@pytest.mark.parametrize(
    "payload",
    [
        f'{{"exp":"{MARK}"}}',
        f'{{"exp":1,"sub":"{MARK}"}}',
        f'{{"exp":4102444800,"jti":["{MARK}"]}}',
        f'{{"{MARK}":1,"{MARK}":2}}',
        f'{{"a":"{MARK}',
        MARK,
    ],
)
def test_nothing_a_stranger_wrote_is_echoed(payload: str) -> None:
    token = forge(payload.encode())
    for part in (token, token[:-2] + "AA"):
        error = raised(partial(Verifier(secret_key()).verify, part))
        clean(error, MARK[:16], *(piece[:16] for piece in token.split(".")))


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ('{"alg":"HS256"}', f'{{"exp":4102444800,"iss":"{MARK}"}}'),
        ('{"alg":"HS256"}', f'{{"exp":4102444800,"aud":["{MARK}"]}}'),
        (f'{{"alg":"HS256","typ":"{MARK}"}}', '{"exp":4102444800}'),
    ],
)
def test_what_the_issuer_signed_is_told_and_cut(header: str, payload: str) -> None:
    token = forge(payload.encode(), header.encode())
    told = str(raised(partial(Verifier(secret_key()).verify, token)))
    assert f"`{MARK[:31]}`" in told
    # Not where the signature is bad.
    forged = raised(partial(Verifier(secret_key()).verify, token[:-2] + "AA"))
    clean(forged, MARK[:16], *(piece[:16] for piece in token.split(".")))


def test_the_name_of_a_key_that_is_missing_is_told_and_cut() -> None:
    header = f'{{"alg":"HS256","kid":"<{MARK}\\n`"}}'
    token = forge(b'{"exp":4102444800}', header.encode())
    told = str(raised(lambda: Verifier(secret_key(kid="k")).verify(token)))
    assert f"`kid` begins with `?{MARK[:30]}`" in told


@pytest.mark.parametrize(
    "header",
    [
        f'{{"alg":"{MARK}"}}',
        f'{{"alg":"HS256","crit":["{MARK}"],"{MARK}":1}}',
        f'{{"alg":"HS256","crit":"{MARK}"}}',
    ],
)
def test_no_header_is_echoed(header: str) -> None:
    token = forge(b'{"exp":4102444800}', header.encode())
    clean(raised(lambda: Verifier(secret_key(kid="k")).verify(token)), MARK[:16], token[:16])


def test_the_right_mac_is_never_told() -> None:
    token = forge(b'{"exp":4102444800}')
    mac = token.split(".")[2]
    error = raised(lambda: Verifier(secret_key()).verify(token[:-4] + "AAAA"))
    clean(error, mac[:12], mac[-12:])


def test_reprs_are_redacted(any_key: Key) -> None:
    jwk = any_key.to_jwk(private=True)
    members = [
        value for name, value in jwk.items() if name not in {"kty", "crv", "alg", "kid", "e"}
    ]
    assert members
    for holder in (any_key, KeySet([any_key]), Signer(any_key), Verifier(any_key)):
        for member in members:
            if isinstance(member, str):
                assert member[:12] not in repr(holder)
                assert member[:12] not in str(holder)
                assert member[:12] not in f"{holder}"
    kind = "secret" if any_key.is_symmetric else "private"
    assert repr(any_key) == f"<gatekey.Key alg='{any_key.alg}' kid='{any_key.kid}' {kind}>"


def test_a_secret_is_in_no_attribute() -> None:
    key = secret_key()
    encoded = base64.urlsafe_b64encode(SECRET).rstrip(b"=").decode()
    for name in dir(key):
        if name.startswith("__") or callable(getattr(key, name)):
            continue
        assert encoded not in str(getattr(key, name))
    assert not hasattr(key, "__dict__")
    assert encoded not in repr(Signer(key).prepare({}))


def test_a_kid_cannot_forge_a_log_line() -> None:
    for control in ("\n", "\x1b[0m", "\x7f", "\x85"):
        kid = f"a{control}INFO all is well"
        with pytest.raises(exceptions.UsageError) as refused:
            Key.generate("ES256", kid=kid)
        assert control not in str(refused.value)
    assert "\u2028" not in repr(Key.generate("ES256", kid="a\u2028INFO all is well"))
