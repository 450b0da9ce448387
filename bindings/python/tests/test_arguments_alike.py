"""Arguments of one kind are read in one way: a text for a list, a text for a secret."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gatekey
from gatekey import (
    ApiKeys,
    Csrf,
    IssuerRule,
    Key,
    KeySet,
    OAuthClient,
    OAuthTokens,
    ResourceServer,
    SessionCookies,
    Sessions,
    Signer,
    Store,
    TokenManager,
    Verifier,
    _core,
    aio,
    danger_decode_unverified,
    oauth,
)
from gatekey.middleware import httpx as on_httpx
from gatekey.middleware import requests as on_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STUB = ast.parse((Path(gatekey.__file__).parent / "_core.pyi").read_text())
KEY = Key.generate("HS256")
SECRET = "0123456789abcdef" * 2
ONE = "alpha"
# Aliases of the stub that a list of strings is one way to give.
LISTS = ("Iterable[str]", "Sequence[str", "_Expected", "_Cidrs")
# Aliases and unions that a secret in text is one way to give.
SECRETS = ("str | bytes", "_Peppers", "_Secrets")


def of_stub(kinds: tuple[str, ...]) -> Iterator[str]:
    for owner in STUB.body:
        prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
        for method in owner.body if isinstance(owner, ast.ClassDef) else [owner]:
            if not isinstance(method, ast.FunctionDef):
                continue
            name = prefix + method.name
            for given in [*method.args.args, *method.args.kwonlyargs]:
                kind = "" if given.annotation is None else ast.unparse(given.annotation)
                if any(one in kind for one in kinds):
                    yield f"{name}({given.arg})"


def of_classes(kinds: tuple[str, ...]) -> Iterator[str]:
    modules = {"": gatekey, "aio.": aio, "oauth.": oauth}
    modules |= {"httpx.": on_httpx, "requests.": on_requests}
    for prefix, module in modules.items():
        for name, owner in vars(module).items():
            if not inspect.isclass(owner) or owner.__module__ == "gatekey":
                continue
            for method in inspect.getmembers(owner, inspect.isfunction):
                for given in inspect.signature(method[1]).parameters.values():
                    if any(one in str(given.annotation) for one in kinds):
                        yield f"{prefix}{name}.{method[0]}({given.name})"


class Recorder:
    """In the place of a client's core: what it is asked for is all that there is."""

    def __init__(self) -> None:
        self.asked: object = None

    def __getattr__(self, name: str) -> Callable[..., object]:
        def ask(*arguments: object, **options: object) -> object:
            self.asked = (name, arguments, options)
            raise StopIteration

        return ask


def outcome(call: Callable[[], object]) -> str:
    try:
        return repr(call())
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__} {error}"


def client(**options: Any) -> OAuthClient:
    given = {"issuer": "https://auth.example", "redirect_uri": "https://app.example/cb"}
    return OAuthClient("app", **(given | options))


def asked(method: str, *arguments: object) -> Callable[..., object]:
    def ask(**options: object) -> object:
        made = client()
        made._core = recorder = Recorder()  # type: ignore[assignment]
        assert "StopIteration" in outcome(lambda: getattr(made, method)(*arguments, **options))
        return recorder.asked

    return ask


def verified(**options: Any) -> object:
    claims = {"iss": ONE, "aud": ONE, ONE: 1}
    policy = {"issuer": ONE, "audience": ONE} | options
    return Verifier(KEY, **policy).verify(
        Signer(KEY, typ=ONE if "typ" in options else "JWT").sign(claims)
    )["iss"]


def several(**options: Any) -> object:
    policy = {"audience": ONE} | options
    claims = {"iss": ONE, "aud": ONE, ONE: 1}
    typ = ONE if "typ" in options else "JWT"
    return Verifier.for_issuers({ONE: KEY}, **policy).verify(Signer(KEY, typ=typ).sign(claims))[
        "iss"
    ]


def ruled(**options: Any) -> object:
    rule = IssuerRule(KEY, **options)
    return Verifier.for_issuers({ONE: rule}, audience=ONE).verify(
        Signer(KEY).sign({"iss": ONE, "aud": ONE})
    )["iss"]


def granted(scopes: object) -> object:
    keys = ApiKeys.open("memory:")
    return keys.create(owner="o", scopes=scopes).record.scopes  # type: ignore[arg-type]


def needed(method: str) -> Callable[..., object]:
    def ask(scopes: object) -> object:
        keys = ApiKeys.open("memory:")
        found = getattr(keys, method)(keys.create(owner="o", scopes=[ONE]).secret, scopes=scopes)
        return found.scopes if method == "verify" else found.ok

    return ask


def door(**options: Any) -> object:
    given: dict[str, Any] = {"issuer": "https://i", "keys": KeySet([Key.generate("ES256")])}
    return ResourceServer("https://a", **(given | options)).metadata


def allowed(cidrs: object) -> object:
    keys = ApiKeys.open("memory:")
    return keys.create(owner="o", cidrs=cidrs).record.cidrs  # type: ignore[arg-type]


def tokens(**options: Any) -> object:
    made = OAuthTokens("https://i", refresh_token="r", **options)
    return made.scopes + made.resources


def at_the_door(**options: Any) -> object:
    keys = ApiKeys.open("memory:")
    own = keys.create(owner="o", scopes=[ONE]).secret
    return ResourceServer("a", api_keys=keys).check(f"Bearer {own}", **options).scopes


GRANTS: dict[str, tuple[object, ...]] = {
    "begin": (),
    "refresh": (OAuthTokens("https://i", refresh_token="r"),),
    "client_credentials": (),
    "jwt_bearer": ("assertion",),
    "device_codes": (),
    "token_exchange": ("t", "urn:ietf:params:oauth:token-type:jwt"),
    "finish": ("callback", ""),
}


SAME: dict[str, Callable[[Any], object]] = {
    "Signer.__new__(audience)": lambda v: danger_decode_unverified(
        Signer(KEY, audience=v).sign({})
    )[1]["aud"],
    "Verifier.__new__(issuer)": lambda v: verified(issuer=v),
    "Verifier.__new__(audience)": lambda v: verified(audience=v),
    "Verifier.__new__(typ)": lambda v: verified(typ=v),
    "Verifier.__new__(required)": lambda v: verified(required=v),
    "Verifier.__new__(algorithms)": lambda v: verified(algorithms=v),
    "Verifier.for_issuers(audience)": lambda v: several(audience=v),
    "Verifier.for_issuers(typ)": lambda v: several(typ=v),
    "Verifier.for_issuers(required)": lambda v: several(required=v),
    "Verifier.for_issuers(algorithms)": lambda v: several(algorithms=v),
    "IssuerRule.__new__(audience)": lambda v: ruled(audience=v),
    "IssuerRule.__new__(algorithms)": lambda v: ruled(algorithms=v),
    "ApiKeys.create(scopes)": granted,
    "ApiKeys.create(cidrs)": allowed,
    "ApiKeys.verify(scopes)": needed("verify"),
    "ApiKeys.check(scopes)": needed("check"),
    "OAuthTokens.__new__(scopes)": lambda v: tokens(scopes=v),
    "OAuthTokens.__new__(resources)": lambda v: tokens(resources=v),
    "_ResourceServer.check(scopes)": lambda v: at_the_door(scopes=v),
    "_ResourceServer.check(acr_values)": lambda v: at_the_door(acr_values=v),
}


def named(make: Callable[..., object], name: str) -> Callable[[Any], object]:
    return lambda value: make(**{name: value})


for name in ("clients", "token_types", "algorithms", "scopes_supported"):
    SAME[f"ResourceServer.__init__({name})"] = named(door, name)
for name in ("scopes", "acr_values"):
    SAME[f"ResourceServer.check({name})"] = named(at_the_door, name)
for name in ("scopes", "id_token_algorithms", "trusted_audiences", "allowed_tenants"):
    SAME[f"OAuthClient.__init__({name})"] = named(client, name)
for method, arguments in GRANTS.items():
    for name in ("scopes", "resources"):
        SAME[f"OAuthClient.{method}({name})"] = named(asked(method, *arguments), name)
SAME["OAuthClient.poll(resources)"] = lambda v: asked("poll", None)(resources=v)
ALGORITHMS = [name for name in SAME if "algorithms)" in name]


def found(kinds: tuple[str, ...]) -> set[str]:
    """All arguments of these kinds, once for the names that several modules have."""
    names = {*of_stub(kinds), *of_classes(kinds)}
    return {name.replace("oauth.", "").replace("Registration", "OAuthClient") for name in names}


def test_a_text_is_one_element_of_every_list() -> None:
    # The twins for asyncio hand what they are given to the same functions.
    listed = {
        name
        for name in found(LISTS)
        if not name.startswith(("aio.", "httpx.", "requests.")) and "._" not in name
    }
    assert listed <= {*SAME}, sorted(listed - {*SAME})
    for name, make in SAME.items():
        one = "HS256" if name in ALGORITHMS else ONE
        one = "10.0.0.1" if "cidrs" in name else one
        same, text = outcome(lambda: make([one])), outcome(lambda: make(one))  # noqa: B023
        assert text == same, name


@pytest.mark.parametrize("of", [on_httpx.BearerAuth, on_requests.BearerAuth])
def test_hosts_are_a_list_as_well(of: Any) -> None:
    manager: Any = TokenManager(client())
    for hosts in ("api.example", ["api.example"]):
        assert of(manager, "n", hosts=hosts)._bearer._hosts == {("api.example", None)}


def opened_by(pepper: Any) -> object:
    store = Store.open("memory:", pepper=pepper)
    return store.api_keys().create(owner="o").record.owner


def csrf_of(secret: Any) -> object:
    csrf = Csrf(secret)
    csrf.check("s", Csrf(SECRET).issue("s"), method="POST")
    return "one"


def logged_in_by(agent: Any) -> object:
    sessions = Sessions.open("memory:", signer=Signer(KEY))
    guard = _core._Guard(sessions=sessions, cookies=SessionCookies(Csrf(SECRET)))
    tokens = guard.log_in("alice", client=agent).tokens
    return tokens and tokens.session.client


ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"

# Each argument that a secret or a token in text is one way to give; the ways that mean the same.
TEXTS: dict[str, Callable[[Any], object]] = {
    "Key.from_secret(secret)": lambda v: Key.from_secret(v, "HS256").thumbprint(),
    "Key.from_pem(data)": lambda v: Key.from_pem(v),
    "Key.from_pem(passphrase)": lambda v: Key.from_pem(ENCRYPTED, passphrase=v),
    "Key.from_der(passphrase)": lambda v: Key.from_der(b"0", passphrase=v),
    "Key.from_jwk(jwk)": lambda v: Key.from_jwk(v),
    "KeySet.from_jwks(jwks)": lambda v: KeySet.from_jwks(v),
    "Verifier.verify(token)": lambda v: Verifier(KEY).verify(v),
    "danger_decode_unverified(token)": danger_decode_unverified,
    "ApiKeys.verify(presented)": lambda v: ApiKeys.open("memory:").verify(v),
    "ApiKeys.check(presented)": lambda v: ApiKeys.open("memory:").check(v).code,
    "Sessions.refresh(refresh_token)": lambda v: Sessions.open(
        "memory:", signer=Signer(KEY)
    ).refresh(v),
    "Sessions.end(refresh_token)": lambda v: Sessions.open("memory:").end(v),
    "Sessions.start(client)": lambda v: (
        Sessions.open("memory:", signer=Signer(KEY)).start("alice", client=v).session.client
    ),
    "Csrf.__new__(secret)": csrf_of,
    "_Guard.log_in(client)": logged_in_by,
    "OAuthTokens.from_secret_json(text)": lambda v: OAuthTokens.from_secret_json(v),
    "api_key_from_headers(pairs)": lambda v: gatekey.api_key_from_headers({"X-API-Key": v}),
    "api_key_from_query(query)": lambda v: gatekey.api_key_from_query(v, "k"),
    "_OAuthClient.__new__(flow_keys)": lambda v: bool(client(flow_keys=v)),
    "OAuthClient.__init__(flow_keys)": lambda v: bool(client(flow_keys=v)),
    "_TokenManager.__new__(seal)": lambda v: bool(TokenManager(client(), seal=v)),
    "TokenManager.__init__(seal)": lambda v: bool(TokenManager(client(), seal=v)),
}
# Peppers in text are as in a pepper file.
PEPPERS: dict[str, Callable[[Any], object]] = {
    "ApiKeys.open(pepper)": lambda v: bool(ApiKeys.open("memory:", pepper=v)),
    "Sessions.open(pepper)": lambda v: bool(Sessions.open("memory:", pepper=v)),
    "Store.open(pepper)": opened_by,
    "KeyRing.open(pepper)": lambda v: bool(gatekey.KeyRing.open("memory:", pepper=v)),
    "store_acknowledge_restore(pepper)": lambda v: gatekey.store_acknowledge_restore(
        "nothing.sqlite", revoke_before=1, pepper=v
    ),
}


def test_secrets_and_tokens_are_texts_or_bytes() -> None:
    wanted = {name for name in found(SECRETS) if not name.startswith(("aio.", "httpx.", "req"))}
    wanted = {name for name in wanted if "PathLike" not in name and "._" not in name}
    known = {*TEXTS, *PEPPERS}
    assert wanted <= known, sorted(wanted - known)
    for name, make in TEXTS.items():
        text, octets = outcome(lambda: make(SECRET)), outcome(lambda: make(SECRET.encode()))  # noqa: B023
        assert text == octets, name
        assert "TypeError" not in text, name


@pytest.mark.parametrize("name", [*TEXTS, *PEPPERS])
def test_a_wrong_type_is_told_by_the_arguments_name(name: str) -> None:
    make = {**TEXTS, **PEPPERS}[name]
    argument = name.split("(")[1].rstrip(")")
    with pytest.raises(TypeError) as raised:
        make(7)
    said = str(raised.value)
    # A header's key is given inside of what the argument is.
    assert argument.removesuffix("s") in said or name.startswith("api_key_from"), said
    assert "int" in said


def test_flow_keys_and_seals_in_text() -> None:
    hexadecimal = "00112233" * 8
    for make in (TEXTS["OAuthClient.__init__(flow_keys)"], TEXTS["TokenManager.__init__(seal)"]):
        other = "ff" * 32
        for good in (
            SECRET,
            f"1 {hexadecimal}\n2 {other}\n",
            [(1, SECRET), (2, SECRET.encode()[::-1])],
        ):
            assert make(good), good
        for wrong in ("short", f"1 {hexadecimal}\nnonsense", [(1, "short")], ""):
            with pytest.raises(gatekey.exceptions.UsageError, match=r"flow_keys|seal"):
                make(wrong)
        with pytest.raises(TypeError, match=r"flow_keys|seal"):
            make([(1, 7)])
