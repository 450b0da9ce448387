"""What the extension module gives back to malloc holds no secret: the C tests' own free and realloc
(tests/ffi/freed.h) look first, for the module alone. Python's strings are Python's."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatekey import ApiKeys, Key, OAuthClient, OAuthTokens, Sessions, Signer, TokenManager, _core

HOOK = Path(__file__).parents[3] / "tests" / "ffi" / "freed.h"
LOOKER = "GATEKEY_TEST_LOOKS"
ACCESS = "ACCESS-0123456789abcdef-of-the-test"
CLIENT_SECRET = "CLIENT-0123456789abcdef-of-the-test"
REFRESH = "REFRESH-0123456789abcdef-of-the-test"
PEPPER = b"a pepper of the tests, 32 bytes."


def test_what_the_module_frees_is_wiped(tmp_path: Path) -> None:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not sys.platform.startswith("linux") or compiler is None or not HOOK.exists():
        pytest.skip("needs Linux, a C compiler and the C tests")
    library = tmp_path / "looker.so"
    name = Path(_core.__file__).name
    command = [compiler, "-shared", "-fPIC", "-O1", f'-DFREED_BY="{name}"', "-include", str(HOOK)]
    command += ["-x", "c", os.devnull, "-ldl", "-o", str(library)]
    subprocess.run(command, check=True)  # noqa: S603
    environ = os.environ | {
        "LD_PRELOAD": str(library),
        LOOKER: str(tmp_path),
        "PYTHONMALLOC": "malloc",
    }
    looked = subprocess.run(  # noqa: S603
        [sys.executable, __file__], env=environ, capture_output=True, text=True, check=False
    )
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert "clean\n" in looked.stdout


class Looker:
    """What the hook has found."""

    def __init__(self) -> None:
        self.hook = ctypes.CDLL(None)
        self.hook.freed_where.restype = ctypes.c_char_p
        self.hook.freed_watch(True)

    def mark(self, secret: str | bytes) -> None:
        octets = secret.encode() if isinstance(secret, str) else secret
        assert self.hook.freed_mark(octets, ctypes.c_size_t(len(octets))) & 0xFF == 1

    def clean(self, what: str) -> None:
        assert self.hook.freed_found() == 0, f"{what}: {self.hook.freed_where().decode()}"
        self.hook.freed_forget()


def look(folder: str) -> None:
    looker = Looker()
    made = Key.generate("ES256").to_jwk(private=True)
    looker.mark(str(made["d"]))
    key = Key.from_jwk(made)
    assert key.to_jwk(private=True)["d"] == made["d"]
    key.to_pem(private=True)
    looker.clean("keys")

    looker.mark(PEPPER)
    keys = ApiKeys.open("memory:", pepper=PEPPER)
    issued = keys.create(owner="acme")
    secret = str(issued.secret)
    looker.mark(secret[20:])
    keys.verify(secret)
    rotated = keys.rotate(issued.record.id)
    looker.mark(str(rotated.secret)[20:])
    keys.verify(str(rotated.secret))
    del issued, rotated
    keys.close()
    looker.clean("API keys")

    looker.mark(PEPPER)
    with Sessions.open("memory:", signer=Signer(key, ttl=60), pepper=PEPPER) as sessions:
        first = sessions.start("alice")
        looker.mark(str(first.refresh_token)[8:])
        looker.mark(str(first.access_token)[-40:])
        second = sessions.refresh(str(first.refresh_token))
        looker.mark(str(second.refresh_token)[8:])
        looker.mark(str(second.access_token)[-40:])
        sessions.end(str(second.refresh_token))
        del first, second
    looker.clean("sessions")

    for text in (ACCESS, REFRESH, CLIENT_SECRET, PEPPER):
        looker.mark(text)
    kept = json.dumps(
        {"issuer": "https://a.example/t", "access_token": ACCESS, "refresh_token": REFRESH}
        | {"expires_at": 4_000_000_000, "scopes": []}
    )
    tokens = OAuthTokens.from_secret_json(kept)
    assert REFRESH.encode() in tokens.to_secret_json()
    client = OAuthClient(
        "c",
        client_secret=CLIENT_SECRET,
        flow_keys=[(1, PEPPER)],
        endpoints={"token_endpoint": "https://a.example/t"},
    )
    for place in (None, folder):
        manager = TokenManager(client, folder=place, seal=[(1, PEPPER)])
        manager.put("n", tokens)
        assert manager.access_token("n") == manager.tokens("n").access_token == ACCESS
        assert manager.replace("n", "another one").access_token == ACCESS
        del manager
    operation = client._core.client_credentials("{}")
    assert operation.step() is not None
    answer = {"access_token": ACCESS, "token_type": "Bearer", "refresh_token": REFRESH}
    # Kept to the end: what Python gives back is not wiped, and may be given to the module next.
    text = json.dumps(answer)
    body = text.encode()
    operation.feed((200, [("content-type", "application/json")], body))
    assert operation.step() is None
    assert operation.result().refresh_token == REFRESH
    del operation, tokens, client
    looker.clean("tokens")
    assert text.encode() == body


if __name__ == "__main__" and LOOKER in os.environ:
    look(os.environ[LOOKER])
    print("clean")
