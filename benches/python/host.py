"""The Python contenders of `make bench`; the protocol is that of ../src/serve.rs.

`host.py FIXTURES` serves every contender that can be imported; `host.py FIXTURES NAME...` only these.
Each is used the way its documentation says, with its keys parsed once.
"""

from __future__ import annotations

import json
import sys
import threading
import warnings
from collections.abc import Callable
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter_ns

ALGORITHMS = ["HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"]
ISSUER = "https://issuer.example.com"
AUDIENCE = "https://api.example.com"

# `verify(token)` returns a mapping of the claims or raises `refusals`; `sign()` returns a token.
Contender = tuple[Callable, Callable, tuple[type[Exception], ...]]


class Fixtures:
    def __init__(self, folder: Path, alg: str) -> None:
        read = lambda part: (folder / f"{alg}.{part}").read_text()
        key = (lambda text: bytes.fromhex(text.strip())) if alg == "HS256" else str.encode
        self.alg = alg
        self.private: bytes = key(read("private"))
        self.public: bytes = key(read("public"))
        self.tokens = read("tokens").split()
        self.bad = dict(line.split("\t") for line in read("bad").splitlines())
        self.claims = json.loads(base64url(self.tokens[0].split(".")[1]))


def base64url(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def gatekey(f: Fixtures) -> Contender:
    from gatekey import Key, Signer, Verifier, exceptions

    load = Key.from_secret if f.alg == "HS256" else Key.from_pem
    verifier = Verifier(load(f.public, f.alg), issuer=ISSUER, audience=AUDIENCE)
    signer = Signer(load(f.private, f.alg), ttl=None, kid=False, token_ids=False)
    sign, claims = signer.sign, f.claims
    return verifier.verify, lambda: sign(claims), (exceptions.InvalidTokenError,)


def pyjwt(f: Fixtures) -> Contender:
    import jwt
    from jwt.algorithms import get_default_algorithms

    algorithm = get_default_algorithms()[f.alg]
    public, private = algorithm.prepare_key(f.public), algorithm.prepare_key(f.private)
    algorithms, claims = [f.alg], f.claims
    decode, encode = jwt.decode, jwt.encode
    return (
        lambda token: decode(token, public, algorithms=algorithms, audience=AUDIENCE, issuer=ISSUER),
        lambda: encode(claims, private, algorithm=f.alg),
        (jwt.InvalidTokenError,),
    )


def oxyjwt(f: Fixtures) -> Contender:
    import oxyjwt
    from oxyjwt import DecodingKey, EncodingKey

    kind = {"HS256": "from_secret", "RS256": "from_rsa_pem", "PS256": "from_rsa_pem", "EdDSA": "from_ed_pem"}
    load = kind.get(f.alg, "from_ec_pem")
    public, private = getattr(DecodingKey, load)(f.public), getattr(EncodingKey, load)(f.private)
    algorithms, claims = [f.alg], f.claims
    decode, encode = oxyjwt.decode, oxyjwt.encode
    return (
        lambda token: decode(token, public, algorithms=algorithms, audience=AUDIENCE, issuer=ISSUER),
        lambda: encode(claims, private, algorithm=f.alg),
        (oxyjwt.InvalidTokenError,),
    )


def joserfc(f: Fixtures) -> Contender:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

    kind = {"HS256": OctKey, "RS256": RSAKey, "PS256": RSAKey, "EdDSA": OKPKey}.get(f.alg, ECKey)
    public, private = kind.import_key(f.public), kind.import_key(f.private)
    algorithms, claims, header = [f.alg], f.claims, {"alg": f.alg, "typ": "JWT"}
    registry = jwt.JWTClaimsRegistry(
        exp={"essential": True},
        aud={"essential": True, "value": AUDIENCE},
        iss={"essential": True, "value": ISSUER},
    )
    decode, encode = jwt.decode, jwt.encode

    def verify(token: str) -> dict:
        claims = decode(token, public, algorithms=algorithms).claims
        registry.validate(claims)
        return claims

    return verify, lambda: encode(header, claims, private, algorithms=algorithms), (JoseError, ValueError)


LIBRARIES = {"gatekey": gatekey, "PyJWT": pyjwt, "oxyjwt": oxyjwt, "joserfc": joserfc}


def prove(name: str, f: Fixtures, contender: Contender) -> None:
    """Nothing is timed that does not accept the good tokens and refuse each kind of bad one."""
    verify, sign, refusals = contender
    for token in f.tokens:
        claims = verify(token)
        assert claims["sub"] == f.claims["sub"] and len(claims) == 9, (name, f.alg)
    for what, token in f.bad.items():
        try:
            verify(token)
        except refusals:
            continue
        raise AssertionError(f"{name} {f.alg} accepts a token with: {what}")
    token = sign()
    assert dict(verify(token)) == f.claims, (name, f.alg)
    assert abs(len(token) - len(f.tokens[0])) <= 16, (name, f.alg, token)


def timed(operation: Callable, inputs: list) -> Callable[[int], int]:
    def run(n: int) -> int:
        inputs_of_this_run = islice(cycle(inputs), n)
        start = perf_counter_ns()
        for each in inputs_of_this_run:
            operation(each)
        return perf_counter_ns() - start

    return run


def reading(verify: Callable) -> Callable:
    return lambda token: verify(token)["scope"]


def timed_calls(operation: Callable) -> Callable[[int], int]:
    def run(n: int) -> int:
        start = perf_counter_ns()
        for _ in range(n):
            operation()
        return perf_counter_ns() - start

    return run


def timed_refusals(verify: Callable, token: str, refusals: tuple) -> Callable[[int], int]:
    def run(n: int) -> int:
        start = perf_counter_ns()
        for _ in range(n):
            try:
                verify(token)
            except refusals:
                pass
        return perf_counter_ns() - start

    return run


def on_two_threads(run_alone: Callable[[int], int]) -> Callable[[int], int]:
    """Half of the runs on each of two threads; the time is the wall clock's."""

    def run(n: int) -> int:
        threads = [threading.Thread(target=run_alone, args=((n + 1) // 2,)) for _ in range(2)]
        start = perf_counter_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return perf_counter_ns() - start

    return run


def sample(run: Callable[[int], int], warm_up: Callable[[int], int], budget: float) -> float:
    """Warms up for a tenth of the budget, then spends the budget in one timed loop."""
    n, spent = 1, warm_up(1)
    while spent < budget / 10:
        n *= 2
        spent = warm_up(n)
    n = max(2, round(budget / (spent / n)))
    return run(n) / n


def main() -> None:
    warnings.simplefilter("ignore")  # joserfc calls the name EdDSA deprecated (RFC 9864)
    folder, wanted = Path(sys.argv[1]), sys.argv[2:] or list(LIBRARIES)
    cases: dict[tuple[str, str, str], Callable[[int], int]] = {}
    say = lambda *words: print(*words, sep="\t", flush=True)
    for library in wanted:
        try:
            number = version(library)
            __import__({"PyJWT": "jwt"}.get(library, library))
        except (ImportError, ModuleNotFoundError) as reason:
            say("skip", library, str(reason))
            continue
        name = {"gatekey": "gatekey (Python)", "PyJWT": f"PyJWT {number}"}.get(library, library)
        say("version", library, number)
        for alg in ALGORITHMS:
            f = Fixtures(folder, alg)
            contender = LIBRARIES[library](f)
            prove(name, f, contender)
            verify, sign, refusals = contender
            cases[name, "verify", alg] = timed(verify, f.tokens)
            if library == "gatekey":  # whose mapping makes its dict when it is first read
                cases[f"{name}, read", "verify", alg] = timed(reading(verify), f.tokens)
            cases[name, "sign", alg] = timed_calls(sign)
            cases[name, "verify-2-threads", alg] = on_two_threads(cases[name, "verify", alg])
            cases[name, "refuse-expired", alg] = timed_refusals(verify, f.bad["expired"], refusals)
            cases[name, "refuse-signature", alg] = timed_refusals(verify, f.bad["bad signature"], refusals)
    for case in cases:
        say("case", *case)
    say("ready")
    for line in sys.stdin:
        contender, op, alg, milliseconds = line.rstrip("\n").split("\t")
        run = cases[contender, op, alg]
        alone = cases[contender, "verify", alg] if op == "verify-2-threads" else run
        say(sample(run, alone, float(milliseconds) * 1e6))


if __name__ == "__main__":
    main()
