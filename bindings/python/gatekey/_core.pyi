from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from os import PathLike
from types import TracebackType
from typing import (
    Any,
    Final,
    Generic,
    Literal,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    final,
    overload,
)

from typing_extensions import Self, disjoint_base

from gatekey.exceptions import GatekeyError
from gatekey.skipped import SkippedKey

__all__ = [
    "ALGORITHMS",
    "ANY",
    "OAUTH_PRESETS",
    "Access",
    "AnyValue",
    "ApiKeyCheck",
    "ApiKeyRecord",
    "ApiKeys",
    "AuditRecord",
    "BegunLogin",
    "Cookie",
    "Csrf",
    "DeviceCodes",
    "FinishedLogin",
    "HttpRequest",
    "HttpTransport",
    "ImportReport",
    "Introspection",
    "IssuedApiKey",
    "IssuerRule",
    "Key",
    "KeyRing",
    "KeySet",
    "LogoutNotice",
    "OAuthTokens",
    "Page",
    "PepperUse",
    "Revocations",
    "RingKey",
    "SentCookies",
    "SessionCookies",
    "SessionEvent",
    "SessionRecord",
    "SessionTokens",
    "Sessions",
    "SignRequest",
    "Signer",
    "Store",
    "StoreHealth",
    "Unsigned",
    "UserInfo",
    "Verified",
    "Verifier",
    "_Decision",
    "_Demand",
    "_FormerTokens",
    "_Guard",
    "_OAuthClient",
    "_Operation",
    "_RemoteKeySet",
    "_Request",
    "_ResourceServer",
    "_TokenManager",
    "_Told",
    "__version__",
    "_attempt",
    "_bounded",
    "_error_headers",
    "_main",
    "_milliseconds",
    "_named",
    "_public_message",
    "_seconds",
    "api_key_from_headers",
    "api_key_from_query",
    "danger_decode_unverified",
    "scan_rule",
    "store_acknowledge_restore",
    "store_backup",
    "store_restore",
]

class _Now(Protocol):
    def now(self) -> int | float: ...

class _Sends(Protocol):
    def send(self, request: HttpRequest, /) -> tuple[int, Iterable[tuple[str, str]], bytes]: ...

# Seconds, kept to the millisecond.
_Seconds: TypeAlias = float | timedelta
_Clock: TypeAlias = Callable[[], int | float] | _Now
_Transport: TypeAlias = (
    HttpTransport | _Sends | Callable[[HttpRequest], tuple[int, Iterable[tuple[str, str]], bytes]]
)
_Keys: TypeAlias = Key | KeySet | Iterable[Key]
_Expected: TypeAlias = str | Iterable[str] | AnyValue | None
_T = TypeVar("_T")

__version__: str
ALGORITHMS: Final[tuple[str, ...]]
ANY: Final[AnyValue]

@final
class AnyValue:
    """The type of `gatekey.ANY`: accept any value of this claim, or its absence."""

@final
class Key:
    """A key and the one algorithm it may be used with.

    Immutable and safe to share between threads. Its repr never shows key material, it refuses to
    be pickled or copied, and its memory is wiped when it is gone.

    Two keys are equal if they are of one algorithm and one kid, have the same RFC 7638 thumbprint,
    and both may sign or both may not.
    """
    @staticmethod
    def generate(alg: str, *, kid: str | None = None, bits: int | None = None) -> Key:
        """Makes a new key for this algorithm: a secret as long as the hash for HS*, 2048 bits for
        RS* and PS* unless `bits` says otherwise.
        """
    @staticmethod
    def from_secret(
        secret: str | bytes, alg: str, *, kid: str | None = None, danger_allow_weak: bool = False
    ) -> Key:
        """A symmetric key for HS256, HS384 or HS512; the secret is at least as long as the hash.

        Text that is really a PEM, DER, SSH or JWK key is refused in every disguise.
        `danger_allow_weak` accepts a shorter secret, for legacy peers.
        """
    @staticmethod
    def from_pem(
        data: str | bytes,
        alg: str | None = None,
        *,
        kid: str | None = None,
        passphrase: str | bytes | None = None,
        danger_allow_weak: bool = False,
    ) -> Key:
        """A key from PEM: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate; or an OpenSSH key, private, or public as a
        line or RFC 4716.

        RSA keys need `alg`; for every other type it follows from the key. `passphrase` opens an encrypted private key;
        without it that is `PassphraseRequiredError`, and with another `WrongPassphraseError`.
        """
    @staticmethod
    def from_der(
        data: bytes,
        alg: str | None = None,
        *,
        kid: str | None = None,
        passphrase: str | bytes | None = None,
        danger_allow_weak: bool = False,
    ) -> Key:
        """A key from DER: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate.

        RSA keys need `alg`; for every other type it follows from the key. `passphrase` opens an encrypted private key.
        """
    @staticmethod
    def from_jwk(
        jwk: dict[str, Any] | str | bytes,
        alg: str | None = None,
        *,
        kid: str | None = None,
        danger_allow_weak: bool = False,
    ) -> Key:
        """A key from a JWK (RFC 7517), as a dict or as JSON text.

        `alg` may be left out if the JWK has one, or if it follows from the type of the key.
        """
    @staticmethod
    def with_callback(
        public: Key,
        sign: Callable[[SignRequest], bytes | bytearray],
        *,
        deadline: _Seconds | None = None,
    ) -> Key:
        """A key whose private half lies in a KMS or an HSM, where `sign` lets it sign: for signers, sessions, rings and
        client assertions, as if it were here.

        - `public`: the public half; its `key_ops` may permit `verify` alone.
        - `sign`: a callable that takes a `SignRequest` (`alg`, `message`, `digest`) and gives the signature, as bytes:
          ECDSA's as `r` and `s` side by side or as DER. Called from any thread that signs. It must not sign by a callback
          itself.
        - `deadline`: how long a signature may take, in seconds or as a timedelta, at most 300: then the callable has a
          thread of its own at each call, and what comes later is thrown away. None: the thread that signs waits for it.

        Each signature is verified before it leaves; the first is made at once, of a text that is no token. If the
        callable raises, that is the `__cause__` of a `KeyUnavailableError`; a signature of another key, hash or padding
        is a `KeyPairMismatchError`.
        """
    @property
    def alg(self) -> str:
        """The algorithm, for example `ES256`."""
    @property
    def kid(self) -> str:
        """The key id: the one given, or else the RFC 7638 thumbprint."""
    @property
    def is_private(self) -> bool:
        """Whether the key has its private half; true of every symmetric key."""
    @property
    def signs_by_callback(self) -> bool:
        """Whether a callback signs, because the private half is not here: see `Key.with_callback`."""
    @property
    def is_symmetric(self) -> bool:
        """Whether the key is a secret shared by signer and verifier (HS256, HS384, HS512)."""
    def with_kid(self, kid: str) -> Key:
        """The same key under another key id."""
    def public(self) -> Key:
        """The public half. A symmetric key has none."""
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint: base64url of a SHA-256."""
    def thumbprint_uri(self) -> str:
        """The RFC 9278 thumbprint URI."""
    def to_jwk(self, *, private: bool = False) -> dict[str, Any]:
        """The key as a JWK; with its private or secret members only if asked."""
    def to_pem(self, *, private: bool = False) -> str:
        """The key as PEM text: SPKI, or PKCS#8 if the private key is asked for."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class KeySet:
    """Several keys, symmetric or asymmetric but never both.

    `len(keyset)` and iteration give its keys; `keyset[kid]` is the key with this kid.
    """
    def __new__(cls, keys: Iterable[Key]) -> KeySet: ...
    @staticmethod
    def from_jwks(jwks: dict[str, Any] | str | bytes, *, default_rsa: str | None = None) -> KeySet:
        """The usable keys of a JWK Set (RFC 7517), as a dict or as JSON text.

        Members that cannot be used are left out and listed in `skipped`. An RSA member without
        `alg` is one of them, unless `default_rsa` names the algorithm to use it with.
        """
    def to_jwks(self, *, private: bool = False) -> dict[str, Any]:
        """The set as a JWK Set; with private or secret members only if asked."""
    @property
    def skipped(self) -> tuple[SkippedKey, ...]:
        """The members of the JWK Set that cannot be used, each as a `SkippedKey` with its `kid` and the `reason`, in the order
        of the JWK Set.
        """
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Key]: ...
    def __getitem__(self, kid: str, /) -> Key: ...
    def __contains__(self, item: Key | str, /) -> bool: ...

@final
class Signer:
    """Signs claims with one key, or with the active key of a `KeyRing`. Immutable and safe to share between
    threads.

    Each token gets the `issuer` and `audience` given here, `iat`, `exp` (now + `ttl` seconds), a
    random `jti` (unless `token_ids=False`) and the `kid` of the key (unless `kid=False`). Claims may
    bring their own `iat`, `exp` and `jti`; an `iss` or `aud` that is not the signer's is refused.
    `ttl=None` sets no `exp`: the claims must have one, unless `allow_missing_exp`. `headers` are more members of the
    header: `x5t`, `x5t#S256`, `x5c`, `cty`, `nonce` or private ones; never `alg`, `kid`, `typ`, `crit`, `b64`, `jwk`,
    `jku`, `x5u`, `enc` or `zip`. `default` is called for values that have no JSON form, such as a UUID or a Decimal, and
    returns what is written in their place, as that of `json.dumps`.
    """
    def __new__(
        cls,
        key: Key | KeyRing,
        *,
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        ttl: _Seconds | None = 900,
        typ: str | None = "JWT",
        kid: bool = True,
        token_ids: bool = True,
        allow_missing_exp: bool = False,
        clock: _Clock | None = None,
        headers: Mapping[str, Any] | None = None,
        default: Callable[[Any], Any] | None = None,
    ) -> Signer: ...
    @property
    def key(self) -> Key:
        """The key, for publishing its public half."""
    def sign(self, claims: Mapping[str, Any]) -> str:
        """The signed token.

        Claims are a mapping of `str` to `str`, `int` of any size, finite `float`, `bool`, `None`,
        and lists, tuples and dicts of those. `exp`, `nbf` and `iat` may be aware datetimes. Other values are given to the
        signer's `default`.
        """
    def prepare(self, claims: Mapping[str, Any]) -> Unsigned:
        """The token without its signature, for a key that lives in a KMS or HSM."""

@final
class SignRequest:
    """What the callable of `Key.with_callback` is asked for."""
    @property
    def alg(self) -> str:
        """The key's algorithm. RSA with PSS (PS256, PS384, PS512) has a salt as long as the digest."""
    @property
    def message(self) -> bytes:
        """What is to be signed: for interfaces that compute the digest themselves, and for Ed25519 and ML-DSA."""
    @property
    def digest(self) -> bytes:
        """The algorithm's SHA-2 digest of the message, for interfaces that want that; empty for Ed25519 and ML-DSA."""

@final
class Unsigned:
    """A token that waits for its signature."""
    @property
    def signing_input(self) -> str:
        """What must be signed: header and claims, encoded (RFC 7515 section 5.1)."""
    def attach(self, signature: bytes) -> str:
        """The token with this signature, which is verified first. ECDSA's may be `r` and `s` side by side (RFC 7518 section
        3.4) or DER.
        """

@final
class Verifier:
    """Verifies tokens against keys and a policy. Immutable and safe to share between threads.

    `keys` is a `Key`, a `KeySet`, several keys, or a `KeyRing`, which is followed. The options are:

    - `issuer`, `audience`, `typ`: one value or several to choose from, which makes the claim
      required; `gatekey.ANY` accepts every value and none. Where nothing is said, a token that has
      an `iss` or `aud` is refused, and so is a `typ` other than `JWT`.
    - `subject`: the only `sub` accepted; an `int` for one that is a number. `required`: names of claims that must be
      there. `claims`: a mapping of claims to the values that they must have, such as `{"token_type": "access"}`.
    - `allow_numeric_subject`: accept a `sub` that is a whole number, which RFC 7519 does not allow. 7 and "7" are two
      subjects: `.subject` is then an `int`.
    - `allow_padding`: accept parts that are padded with `=`, as AWS load balancers sign them.
    - `leeway`: seconds, or a timedelta, by which clocks may differ; at most 600.
    - `max_age`: seconds, or a timedelta, since `iat`, which is then required.
    - `allow_missing_exp`: accept a token that never expires. An `exp` is always checked.
    - `algorithms`: use only keys of these algorithms. The keys have one each, so this is rarely
      needed.
    - `max_token_bytes`, `max_header_bytes`: 16 KiB and 4 KiB unless set.
    - `try_keys_without_kid`: try up to four keys on a token that names none.
    - `revocations`: a `Revocations`; a token that is on it is a `RevokedTokenError`.
    - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
    """
    def __new__(
        cls,
        keys: _Keys | KeyRing | _RemoteKeySet,
        *,
        issuer: _Expected = None,
        audience: _Expected = None,
        typ: _Expected = None,
        subject: str | int | None = None,
        leeway: _Seconds = 0,
        max_age: _Seconds | None = None,
        required: str | Iterable[str] = (),
        allow_missing_exp: bool = False,
        clock: _Clock | None = None,
        algorithms: str | Iterable[str] | None = None,
        max_token_bytes: int | None = None,
        max_header_bytes: int | None = None,
        try_keys_without_kid: bool = False,
        revocations: Revocations | None = None,
        claims: Mapping[str, Any] | None = None,
        allow_numeric_subject: bool = False,
        allow_padding: bool = False,
    ) -> Verifier: ...
    @staticmethod
    def for_issuers(
        issuers: Mapping[str, _Keys | KeyRing | IssuerRule | _RemoteKeySet],
        *,
        audience: _Expected = None,
        typ: _Expected = None,
        subject: str | int | None = None,
        leeway: _Seconds = 0,
        max_age: _Seconds | None = None,
        required: str | Iterable[str] = (),
        allow_missing_exp: bool = False,
        clock: _Clock | None = None,
        algorithms: str | Iterable[str] | None = None,
        max_token_bytes: int | None = None,
        max_header_bytes: int | None = None,
        try_keys_without_kid: bool = False,
        revocations: Revocations | None = None,
        claims: Mapping[str, Any] | None = None,
        allow_numeric_subject: bool = False,
        allow_padding: bool = False,
    ) -> Verifier:
        """A verifier for several issuers, each with its own keys; a key never crosses issuers.

        `issuers` maps the issuer's `iss` to its keys (a `RemoteKeySet` or a `KeyRing`, too), or to an `IssuerRule` with an audience and
        algorithms of its own.
        """
    def verify(self, token: str | bytes | None) -> Verified:
        """The claims of the token, if its signature is valid and the policy accepts it.

        Raises a subclass of `InvalidTokenError` otherwise. A bad signature always wins over any
        other fault of the claims.
        """

@final
class IssuerRule:
    """The keys of one issuer, with an audience and algorithms of its own, for `Verifier.for_issuers`."""
    def __new__(
        cls,
        keys: _Keys | KeyRing | _RemoteKeySet,
        *,
        audience: _Expected = None,
        algorithms: str | Iterable[str] | None = None,
    ) -> IssuerRule: ...
    @property
    def _keys(self) -> object:
        """The keys as they were given: remote ones know who fetches them."""

@final
class Verified(Mapping[str, Any]):
    """The claims of a verified token, as a read-only mapping.

    Only `Verifier.verify` makes one. It cannot be changed, nor can what it holds: every look at a
    claim makes a new object.
    """
    @property
    def header(self) -> dict[str, Any]:
        """The header, as a new dict."""
    @property
    def claims(self) -> dict[str, Any]:
        """The claims, as a new dict."""
    @property
    def raw(self) -> bytes:
        """The claims' JSON, byte for byte as it was signed."""
    @property
    def key_id(self) -> str:
        """The kid of the key that verified the token."""
    @property
    def alg(self) -> str:
        """The algorithm of the key that verified the token."""
    @property
    def issuer(self) -> str | None:
        """`iss`, if present."""
    @property
    def subject(self) -> str | int | None:
        """`sub`, if present: a `str`, or an `int` where the verifier allows numbers. 7 and "7" are two subjects."""
    @property
    def audience(self) -> tuple[str, ...]:
        """`aud`, whether it was one string or several; empty if absent."""
    @property
    def expires_at(self) -> int | None:
        """`exp` in whole seconds since the Unix epoch, if present."""
    @property
    def not_before(self) -> int | None:
        """`nbf` in whole seconds since the Unix epoch, if present."""
    @property
    def issued_at(self) -> int | None:
        """`iat` in whole seconds since the Unix epoch, if present."""
    @property
    def token_id(self) -> str | None:
        """`jti`, if present."""
    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    @overload
    def get(self, name: str, default: None = None, /) -> Any | None:
        """The claim with this name, or else the default."""
    @overload
    def get(self, name: str, default: _T, /) -> Any | _T:
        """The claim with this name, or else the default."""
    def keys(self) -> KeysView[str]:
        """A view of the names of the claims."""
    def values(self) -> ValuesView[Any]:
        """A view of the values of the claims."""
    def items(self) -> ItemsView[str, Any]:
        """A view of the names and values of the claims."""

def danger_decode_unverified(
    token: str | bytes | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token that was not verified: an attacker can write them.

    For looking at tokens, never for deciding anything.
    """

_Rate: TypeAlias = str | tuple[int, int]
_Credits: TypeAlias = int | Mapping[str, int]
_Cidr: TypeAlias = str | IPv4Network | IPv6Network | IPv4Address | IPv6Address
_Cidrs: TypeAlias = _Cidr | Iterable[_Cidr]
_Ip: TypeAlias = str | IPv4Address | IPv6Address
_Moment: TypeAlias = int | float | datetime
_Record = TypeVar("_Record", covariant=True)

@final
class ApiKeys:
    """The API keys of a service, in memory or in a SQLite file.

    Made by `ApiKeys.open`. Safe to share between threads, and usable after a fork. Every change is durable when its
    call returns. `close` it, or use it as a context manager, so that credits that are not spent are given back.
    """
    @staticmethod
    def open(
        url: str | PathLike[str],
        *,
        pepper: _Peppers | None = None,
        prefix: str = "gk",
        env: str = "live",
        strict: bool = False,
        max_stale: _Seconds = 30,
        limits: str | PathLike[str] | Literal[False] | None = None,
        clock: _Clock | None = None,
    ) -> ApiKeys:
        """The short way for a program that keeps nothing else there: `Store.open(url).api_keys()`.

        - `url`, `pepper`: as for `Store.open`.
        - `prefix`, `env`: what keys begin with, `gk_live_` unless set; keys of another environment
          are not accepted.
        - `strict`: look for changes by other processes before every verification, not within 50 ms.
        - `max_stale`: seconds for which keys are served from memory if the store is out of reach.
        - `limits`: where the rates of keys are counted. Unless set, in the file `<path>.limits` beside the
          store; a folder, for stores of another kind or where the store's own cannot be written to; `False`:
          each process counts for itself. The processes of one machine that count in one place share each key's
          limit, over restarts; each machine has limits of its own. Or the URL of a server that all machines count
          in, as of `Store.open`. See `check_limits`.
        - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970. Processes that
          share limits must agree about it.
        """
    def create(
        self,
        *,
        owner: str,
        name: str = "",
        scopes: str | Iterable[str] = (),
        not_before: _Moment | None = None,
        expires_in: _Seconds | None = None,
        expires_at: _Moment | None = None,
        rate: _Rate | None = None,
        credits: _Credits | None = None,
        cidrs: _Cidrs = (),
        meta: Mapping[str, Any] | None = None,
        tenant: str = "",
        actor: str | None = None,
    ) -> IssuedApiKey:
        """Makes a key. `secret` of the result is its text, which is kept nowhere.

        `expires_in`: seconds from now, or a timedelta; or `expires_at`: seconds since 1970, or an aware datetime, to come.
        `rate`: how often it may be used, such as `100/60s`. The processes of one machine share the limit, over
        restarts (see `open`); each machine has a limit of its own, unless `limits` names a server for all.
        """
    def verify(
        self,
        presented: str | bytes | None,
        *,
        scopes: str | Iterable[str] = (),
        ip: _Ip | None = None,
        cost: int = 1,
        tenant: str | None = None,
    ) -> ApiKeyRecord:
        """The key's record, if it may do what is asked; takes the request's cost from its limits.

        `scopes`: all of these are needed. `ip`: the caller's address, a `str` or of the module
        `ipaddress`; a key that is limited to addresses is refused without it. `cost`: units of the
        rate and credits, 0 for none. `tenant`: the one that the key must belong to. `presented` is None, as
        `api_key_from_headers` gives it, where the request brings no key.

        Raises `MissingCredentialsError`, or a subclass of `ApiKeyError`, each with `code`, `status` and `retry_after`.
        """
    def check(
        self,
        presented: str | bytes | None,
        *,
        scopes: str | Iterable[str] = (),
        ip: _Ip | None = None,
        cost: int = 1,
        tenant: str | None = None,
    ) -> ApiKeyCheck:
        """Like `verify`, but gives a result instead of raising: see `ApiKeyCheck`. Mistakes in the arguments are still
        raised.
        """
    def rotate(
        self,
        id: str,
        *,
        overlap: _Seconds = 0,
        owned_by: str = ...,
        tenant: str | None = None,
        actor: str | None = None,
    ) -> IssuedApiKey:
        """Gives the key a new secret under the same id; the old one is accepted for `overlap` more
        seconds, at most 90 days; 0, the default, ends it now. A key has two secrets at the most: a second rotation within
        an overlap ends the first secret at once.
        """
    def revoke(
        self,
        id: str,
        reason: str | None = "",
        *,
        owned_by: str = ...,
        tenant: str | None = None,
        actor: str | None = None,
    ) -> ApiKeyRecord:
        """Revokes the key for good. The record as it is now.

        With `owned_by`, here and in the other calls about one key, another owner's key is one that does not exist, and so is
        one of another `tenant`; none, for keys without. For users who choose a key by its id, which is public.
        """
    def disable(
        self,
        id: str,
        reason: str | None = "",
        *,
        owned_by: str = ...,
        tenant: str | None = None,
        actor: str | None = None,
    ) -> ApiKeyRecord:
        """Refuses the key until it is enabled again. The record as it is now."""
    def enable(
        self,
        id: str,
        *,
        owned_by: str = ...,
        tenant: str | None = None,
        actor: str | None = None,
    ) -> ApiKeyRecord:
        """Accepts a disabled key again. The record as it is now."""
    def update(
        self,
        id: str,
        *,
        owned_by: str = ...,
        tenant: str | None = None,
        actor: str | None = None,
        **changes: Any,
    ) -> ApiKeyRecord:
        """Changes what is named: `owner`, `name`, `scopes`, `not_before`, `expires_at`, `expires_in`,
        `rate`, `credits`, `cidrs`, `meta`. `None` takes a limit away. The record as it is now.
        """
    def get(self, id: str, *, owned_by: str = ..., tenant: str | None = None) -> ApiKeyRecord:
        """The record of the key. Raises `ApiKeyNotFoundError`."""
    def list(
        self,
        *,
        owner: str | None = None,
        tenant: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ApiKeyRecord]:
        """A page of records in ascending order of their ids; `cursor` of a page leads to the next one."""
    def audit(
        self, *, key_id: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[AuditRecord]:
        """A page of the audit, oldest first: what was done to keys, when and by whom."""
    def import_(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        scheme: str,
        actor: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> ImportReport:
        """Imports keys that another system issued, without their owners noticing.

        `rows` are mappings with `owner`, with `secret` (scheme `plaintext`) or `hash`, with `name`
        and the other options of `create`, and with `lookup`, the public part that the key begins with, up to a
        separator, which salted hashes need. Schemes: plaintext, sha256-hex, sha256-base64, sha512-hex, drf-api-key, bcrypt,
        argon2, pbkdf2-sha256. A row of the wrong form raises `UsageError`, and nothing is imported;
        keys that are there already are listed in `rejected`.

        `progress` is called with the number of rows that are done and of all, after every 500 rows. What
        it raises is raised when the import is over.
        """
    def purge(self, before: _Moment | None = None, *, actor: str | None = None) -> int:
        """Deletes keys that expired, or were revoked, before this time, or before now; how many. Their
        audit stays.
        """
    def pepper_report(self) -> _List[PepperUse]:
        """How many keys, sessions and key rings of the store still need each pepper."""
    def wrap_peppers(self, *, actor: str | None = None) -> int:
        """Puts every key under the active pepper as well, now: for the day an old one has leaked. How
        many keys. `StoreCorruptError` if rows were altered from outside: all others are wrapped, its `key_id` is the first
        of them, and `pepper_report` names all.
        """
    def check_limits(self) -> None:
        """Raises an error that says why, unless the rates of all keys are shared by the processes of this machine, or by
        all machines where `limits` names a server, which is asked now. Where they are not, each process counts for itself, and no key is without its limit.
        """
    def flush(self) -> None:
        """Writes down now when keys were last used; otherwise that happens every 10 seconds."""
    def close(self) -> None:
        """Writes down what is pending, gives back credits that were not spent, closes the store. Closing one that may
        only be read is no error.
        """
    def __enter__(self) -> ApiKeys: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None = None,
        _error: BaseException | None = None,
        _trace: TracebackType | None = None,
        /,
    ) -> None: ...

_List: TypeAlias = list[_T]

@final
class ApiKeyRecord:
    """An API key, without anything that would prove it. Times are in seconds since 1970."""
    @property
    def id(self) -> str:
        """The public id: twelve letters and digits of the key's text."""
    @property
    def prefix(self) -> str:
        """The prefix of the key's text."""
    @property
    def env(self) -> str:
        """The environment."""
    @property
    def tenant(self) -> str:
        """The tenant; empty where there is one only."""
    @property
    def owner(self) -> str:
        """Whose key it is."""
    @property
    def name(self) -> str:
        """What the owner calls it."""
    @property
    def scopes(self) -> tuple[str, ...]:
        """What it may do, ascending."""
    @property
    def cidrs(self) -> tuple[str, ...]:
        """From where it may be used; empty for anywhere."""
    @property
    def status(self) -> str:
        """`active`, `disabled` or `revoked`."""
    @property
    def revoked_at(self) -> int | None:
        """When it was revoked."""
    @property
    def reason(self) -> str:
        """Why it was disabled or revoked."""
    @property
    def not_before(self) -> int | None:
        """When it becomes valid."""
    @property
    def expires_at(self) -> int | None:
        """When it stops being valid."""
    @property
    def rate(self) -> str | None:
        """How often it may be used, as `100/60s`."""
    @property
    def credits(self) -> dict[str, int] | None:
        """How much it may be used: `remaining`, `limit`, `refill`, `every`, `refilled_at`."""
    @property
    def meta(self) -> dict[str, Any]:
        """The program's own notes, as a new dict."""
    @property
    def created_at(self) -> int:
        """When it was made."""
    @property
    def created_by(self) -> str:
        """Who made it."""
    @property
    def rotated_at(self) -> int | None:
        """When its secret was last changed."""
    @property
    def overlap_until(self) -> int | None:
        """Until when the secret before the last rotation is accepted."""
    @property
    def last_used_at(self) -> int | None:
        """When it was last used, as of the last flush."""
    @property
    def uses(self) -> int:
        """How often it was used, as of the last flush."""
    @property
    def version(self) -> int:
        """Grows by one with every change."""
    @property
    def altered(self) -> bool:
        """Whether its row was altered from outside, so that it is refused, and nothing else here is to be believed."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class IssuedApiKey:
    """A key that was just made or rotated: the one time that its text is seen."""
    @property
    def secret(self) -> str:
        """The key's text, to be handed to its owner."""
    @property
    def id(self) -> str:
        """The key's id."""
    @property
    def record(self) -> ApiKeyRecord:
        """Everything else about it."""

@final
class ApiKeyCheck:
    """Whether an API key may do what was asked, and if not, why."""
    @property
    def ok(self) -> bool:
        """Whether it may."""
    @property
    def code(self) -> str:
        """`ok`, or the `code` of the error, such as `api_key_expired`."""
    @property
    def status(self) -> int:
        """The HTTP status to answer with: 200, 401, 403, 429 or 503."""
    @property
    def retry_after(self) -> float | None:
        """Seconds after which the same call may succeed, where waiting is the remedy."""
    @property
    def message(self) -> str | None:
        """Why, for the log; `None` if it may."""
    @property
    def public_message(self) -> str | None:
        """What the caller may be told; `None` if it may."""
    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer: those of `GatekeyError.headers`; none if it may."""
    @property
    def key_id(self) -> str | None:
        """The key's id, if it was accepted, or refused after its secret was proved."""
    @property
    def record(self) -> ApiKeyRecord | None:
        """The key's record, if it was accepted."""
    def __bool__(self) -> bool: ...
    def raise_for_status(self) -> None:
        """Raises what `verify` would have raised."""

@final
class Page(Generic[_Record]):
    """Some records, and the cursor that leads to the next page, or `None` if this is the last one."""
    @property
    def records(self) -> list[_Record]:
        """The records."""
    @property
    def cursor(self) -> str | None:
        """What to ask for the next page with."""
    def __len__(self) -> int: ...
    def __getitem__(self, at: int, /) -> _Record: ...
    def __iter__(self) -> Iterator[_Record]: ...

@final
class AuditRecord:
    """A row of the audit."""
    @property
    def seq(self) -> int:
        """Its number: one more than that of the row before."""
    @property
    def at(self) -> int:
        """When, in seconds since 1970."""
    @property
    def actor(self) -> str:
        """Who asked for it, as the program said."""
    @property
    def action(self) -> str:
        """What was done: `create`, `rotate`, `revoke`, `disable`, `enable`, `update`, `import`, `purge`,
        `pepper.upgrade`, `pepper.wrap`.
        """
    @property
    def key_id(self) -> str:
        """The key's id."""
    @property
    def detail(self) -> str:
        """More about it."""

@final
class ImportReport:
    """What became of an import."""
    @property
    def imported(self) -> int:
        """How many keys were imported."""
    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that they were given, in the order of the rows."""
    @property
    def rejected(self) -> tuple[tuple[int, str], ...]:
        """The rows that are there already, as pairs of their place (from 0) and the reason."""

@final
class PepperUse:
    """How many keys, sessions and key rings still need a pepper."""
    @property
    def pepper(self) -> int:
        """The pepper's number."""
    @property
    def active(self) -> bool:
        """Whether new keys are made under it."""
    @property
    def keys(self) -> int:
        """The keys that cannot be verified without it."""
    @property
    def sessions(self) -> int:
        """The sessions that cannot be refreshed or read without it."""
    @property
    def key_rings(self) -> int:
        """The key rings of the store that are sealed under it."""
    @property
    def since(self) -> int:
        """When it was first used, in seconds since 1970; 0 if never."""
    @property
    def damaged(self) -> _List[str]:
        """Of the number 0, which is there if anything is damaged: the ids of the API keys, then those of the sessions, then
        the names of the key rings whose rows were altered from outside or cannot be read.
        """

_Secrets: TypeAlias = str | bytes | Iterable[tuple[int, str | bytes]]
_Peppers: TypeAlias = _Secrets

@final
class Sessions:
    """The sessions of a service: access tokens of some minutes, refresh tokens that are used once.

    Made by `Sessions.open`. Safe to share between threads, and usable after a fork. Every change is durable when its
    call returns.
    """
    @staticmethod
    def open(
        url: str | PathLike[str],
        *,
        signer: Signer | None = None,
        refresh_ttl: _Seconds = 604800,
        absolute_ttl: _Seconds = 7776000,
        grace: _Seconds = 10,
        pepper: _Peppers | None = None,
        strict: bool = False,
        max_stale: _Seconds = 30,
        max_token_ttl: _Seconds = 2592000,
        tenant_claim: str = "tenant",
        clock: _Clock | None = None,
    ) -> Sessions:
        """The short way for a program that keeps nothing else there: `Store.open(url).sessions()`.

        - `url`: as for `Store.open`.
        - `signer`: signs the access tokens, which live for its `ttl`. Without one, sessions are looked
          at and ended only.
        - `refresh_ttl`: seconds after which a session ends that was not refreshed; 7 days.
        - `absolute_ttl`: seconds after which a session ends however often it is refreshed; 90 days.
        - `grace`: seconds for which a refresh token that was used gives the same answer again, while its successor
          has not been presented; 10, at most 60.
        - `strict`, `max_stale`, `max_token_ttl`, `tenant_claim`: of `revocations`, see `Revocations`.
        - `pepper`: as for `Store.open`. Losing it ends every session.
        - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970; the dates of
          access tokens come from it, too.
        """
    def start(
        self,
        subject: str,
        claims: Mapping[str, Any] | None = None,
        client: str | bytes | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> SessionTokens:
        """Starts a session, after a log-in.

        `claims`: what each access token says in addition; not `sub`, `sid`, `iss`, `aud`, `exp`, `iat`, `jti` or
        `gkn`. `client`: what the subject logs in with, for people. `meta`: a mapping, for the program.
        """
    def refresh(
        self, refresh_token: str | bytes | None, claims: Mapping[str, Any] | None = None
    ) -> SessionTokens:
        """Exchanges a refresh token for a new pair. With `claims` the access tokens say these from now on,
        else what they said before.

        Raises `TokenReuseError` if the token was used before: the session is ended then.
        `SessionEndedError`, `SessionExpiredError`; `InvalidRefreshTokenError`, also if it was used before and the
        clock, which was set since, cannot tell how long ago: nothing is changed then.
        """
    def end(self, refresh_token: str | bytes | None) -> bool:
        """Ends the session of a refresh token, which is checked, and revokes its access tokens: a log-out. Whether it
        had not been ended before. Any refresh token of the session will do; its public `family` will not.

        Raises `InvalidRefreshTokenError`.
        """
    def end_by_id(self, family: str, subject: str = ...) -> bool:
        """Ends the session with this id and revokes its access tokens; whether it had not been ended before. With
        `subject`, only a session of that subject.

        The id is public (`sid` of access tokens): where users choose it, from a list of their devices, give the
        subject that is logged in. Raises `SessionNotFoundError`, also for another subject's session.
        """
    def end_under_pepper(self, pepper: int) -> int:
        """Ends every session whose refresh token was made under this old pepper, and revokes its access tokens: for
        the day that it has leaked. How many sessions. Those that were refreshed under a newer one more than a minute ago
        stay; those whose rows were altered from outside end. `WrongPepperError` if rows are sealed under a pepper that was
        not given: these stay, and all others are done.
        """
    def end_all(self, subject: str, *, but: str | None = None) -> int:
        """Ends all sessions of a subject and revokes what access tokens it has; how many sessions.

        With `but`, the id of one of them, that one is kept and not touched, and sessions that are started meanwhile are not
        ended: `SessionNotFoundError`, also for another subject's session, or `SessionEndedError`; then none is.
        """
    def list(self, subject: str) -> _List[SessionRecord]:
        """The live sessions of a subject, the last one used first; those whose rows were altered from outside or cannot be
        read too (`altered`).
        """
    def get(self, family: str) -> SessionRecord:
        """The session with this id, live or not. Raises `SessionNotFoundError`."""
    def events(
        self,
        *,
        subject: str | None = None,
        family: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[SessionEvent]:
        """A page of what happened to sessions, oldest first; `cursor` of a page leads to the next one."""
    def purge(self, before: _Moment | None = None) -> int:
        """Deletes sessions that expired, or were ended, before this time, or before now; how many."""
    @property
    def revocations(self) -> Revocations:
        """What is revoked, to be given to verifiers: `Verifier(..., revocations=sessions.revocations)`."""
    def close(self) -> None:
        """Closes the store, unless a verifier still has its revocations."""
    def __enter__(self) -> Sessions: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None = None,
        _error: BaseException | None = None,
        _trace: TracebackType | None = None,
        /,
    ) -> None: ...

@final
class SessionTokens:
    """What a client is given at a log-in and at each refresh."""
    @property
    def access_token(self) -> str:
        """The access token: a JWT with `sub`, `sid` and the claims of the session."""
    @property
    def refresh_token(self) -> str:
        """The refresh token, to be used once, instead of the previous one."""
    @property
    def expires_in(self) -> int:
        """For how many seconds the access token is good (RFC 6749 section 5.1)."""
    @property
    def expires_at(self) -> int:
        """When the session ends unless it is refreshed before, in seconds since 1970."""
    @property
    def family(self) -> str:
        """The id of the session: `sid` of its access tokens."""
    @property
    def session(self) -> SessionRecord:
        """The session as it is now."""

@final
class SessionRecord:
    """A session, without anything that could be presented. Times are in seconds since 1970."""
    @property
    def family(self) -> str:
        """The id: twelve letters and digits, `sid` of its access tokens."""
    @property
    def subject(self) -> str:
        """Whose session it is: `sub` of its access tokens."""
    @property
    def client(self) -> str:
        """What the subject logged in with, as the program said."""
    @property
    def meta(self) -> dict[str, Any]:
        """The program's own notes, as a new dict."""
    @property
    def created_at(self) -> int:
        """When it was started."""
    @property
    def last_seen_at(self) -> int:
        """When it was started or last refreshed."""
    @property
    def expires_at(self) -> int:
        """When it ends unless it is refreshed before."""
    @property
    def absolute_expires_at(self) -> int:
        """When it ends however often it is refreshed."""
    @property
    def refreshes(self) -> int:
        """How often it was refreshed."""
    @property
    def ended_at(self) -> int | None:
        """When it was ended, if it was."""
    @property
    def end(self) -> str | None:
        """Why it was ended: `logout`, `logout_everywhere`, `reuse` or `expired`."""
    @property
    def altered(self) -> bool:
        """Whether its row was altered from outside, so that its refresh tokens are refused, and nothing else here is to
        be believed.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class SessionEvent:
    """Something that happened to a session."""
    @property
    def seq(self) -> int:
        """Its number; those of later events are higher."""
    @property
    def at(self) -> int:
        """When, in seconds since 1970."""
    @property
    def family(self) -> str:
        """The session."""
    @property
    def subject(self) -> str:
        """Whose session it is."""
    @property
    def action(self) -> str:
        """`start`, `logout`, `logout_everywhere`, `reuse` or `expired`."""
    @property
    def detail(self) -> str:
        """More about it: the client."""

@final
class Revocations:
    """What has been revoked: kept in a store, checked in memory, seen by other processes within 50 ms.

    Made by `Revocations.open`, or found as `sessions.revocations`. Give it to a `Verifier`: then a
    revoked token is a `RevokedTokenError`, tokens must have `iat` and `exp`, and if the store has been
    silent for too long every token is a `StoreUnavailableError`.
    """
    @staticmethod
    def open(
        url: str | PathLike[str],
        *,
        strict: bool = False,
        max_stale: _Seconds = 30,
        max_token_ttl: _Seconds = 2592000,
        tenant_claim: str = "tenant",
        clock: _Clock | None = None,
        create: bool = True,
    ) -> Revocations:
        """The short way for a program that keeps nothing else there: `Store.open(url).revocations()`. Needs no pepper.

        - `url`: as for `Store.open`.
        - `strict`: look for changes by other processes at every token, not within 50 ms.
        - `max_stale`: seconds for which tokens are accepted if the store is out of reach; 30.
        - `max_token_ttl`: seconds between `iat` and `exp` of a token at the most; others are refused,
          because what is revoked is not remembered for longer. 30 days.
        - `tenant_claim`: the claim that names a token's tenant.
        - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
        - `create`: whether a store that is not there is made. False where another process keeps it, so that a wrong path
          is a StoreUnavailableError, and not an empty store.
        """
    def revoke_token(self, issuer: str | None, jti: str, expires_at: _Moment) -> None:
        """Revokes one token, by its `iss` and its `jti`; it is remembered until `expires_at`, its `exp`. With None for the
        issuer, every token with this `jti` is refused, whatever its `iss`. `UsageError` if `expires_at` has passed by more
        than 600 seconds, or is after the year 9999, as milliseconds are: then nothing is revoked.
        """
    def revoke_session(self, sid: str) -> None:
        """Revokes the tokens of one session, by their `sid`; its next refresh is refused and ends it."""
    def revoke_subject(self, sub: str | int) -> None:
        """Revokes the tokens that a subject has now; a later log-in gives good ones. Access tokens of `Sessions` say
        which revocations came before them (the claim `gkn`); others go by `iat`, to the second. Its sessions
        continue, and their next refresh gives good tokens: `Sessions.end_all` ends them as well. An `int` is the
        subject of tokens whose `sub` is that number, which is another one than its text.
        """
    def revoke_key(self, kid: str) -> None:
        """Revokes the tokens of one key, for ever: by the `kid` of the key that verifies them."""
    def revoke_before(
        self, at: _Moment, subject: str | int | None = None, tenant: str | None = None
    ) -> None:
        """Revokes the tokens that were issued (`iat`) before `at`: of one subject, one tenant, or all."""
    def seen_once(self, issuer: str | None, jti: str, expires_at: _Moment) -> bool:
        """Whether a token that is good for one use has not been used yet; from now on it has, in every
        process that shares the store. One that has expired is good for none.
        """
    def refresh(self) -> None:
        """Looks now at what other processes have revoked."""
    def purge(self) -> int:
        """Forgets what has become needless; otherwise that happens every ten minutes. How many entries."""
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...

@final
class Store:
    """A store: API keys, sessions, revocations and key rings over one pool of connections, one pepper setting and one clock.

    Made by `Store.open`. Safe to share between threads, and usable after a fork. What it hands out stays usable
    without it, and ends when it is closed: `close` it, or use it as a context manager.
    """
    @staticmethod
    def open(
        url: str | PathLike[str],
        *,
        pepper: _Peppers | None = None,
        pepper_file: str | PathLike[str] | None = None,
        pepper_env: str | None = None,
        strict: bool = False,
        max_stale: _Seconds = 30,
        limits: str | None = None,
        clock: _Clock | None = None,
        create: bool = True,
    ) -> Store:
        """Opens `sqlite:///relative/path`, `sqlite:////absolute/path`, a path (a SQLite file as well) or `memory:`;
        `folder:/path` is a folder that holds key rings only. `?mark=FILE` at the end of the URL says where the mark is that
        tells a restored backup; a StoreRestoredError, if it does. Never open the file with `sqlite3` in the same process,
        not even to read.

        - `pepper`: 16 bytes or more, a list of `(number, bytes)`, oldest first, the last one active, or a text as in a
          pepper file. Without one, the file `<path>.pepper` is used, and made with the store. Losing the pepper is losing
          what is in the store.
        - `pepper_file`: the file with the peppers, which only its owner may read.
        - `pepper_env`: the name of the environment variable that holds them, written as in a file.
        - `strict`: look for changes by other processes at every API key and token, not within 50 ms.
        - `max_stale`: seconds for which everything works from memory if the store is out of reach.
        - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
        - `limits`: a Valkey, or a Redis of version 7 or later, in which the rates of API keys and the limits of guards over
          this store are counted together with other machines: `redis://127.0.0.1:6379`, `rediss://user:password@host:6379`
          with TLS, `unix:/path/of/socket`. Without it each machine counts for itself, or each process where the store
          is no file. A decision that counts asks the server, for 5 ms at most; while it does not answer, each process admits
          its part of each limit.
        - `create`: whether a store that is not there is made. False where another process keeps it, so that a wrong path
          is a StoreUnavailableError, and not an empty store.
        """
    def api_keys(
        self,
        *,
        prefix: str = "gk",
        env: str = "live",
        limits: str | PathLike[str] | Literal[False] | None = None,
    ) -> ApiKeys:
        """The API keys; the options are those of `ApiKeys.open`."""
    def sessions(
        self,
        *,
        signer: Signer | None = None,
        refresh_ttl: _Seconds = 604800,
        absolute_ttl: _Seconds = 7776000,
        grace: _Seconds = 10,
        max_token_ttl: _Seconds = 2592000,
        tenant_claim: str = "tenant",
    ) -> Sessions:
        """The sessions; the options are those of `Sessions.open`."""
    def revocations(
        self, *, max_token_ttl: _Seconds = 2592000, tenant_claim: str = "tenant"
    ) -> Revocations:
        """What is revoked; the options are those of `Revocations.open`. Needs no pepper."""
    def key_ring(
        self,
        name: str = "default",
        *,
        alg: str = "ES256",
        token_ttl: _Seconds | None = None,
        keys: Iterable[Key] = (),
    ) -> KeyRing:
        """A key ring, which is made if it is not there; the options are those of `KeyRing.open`."""
    def health(self) -> StoreHealth:
        """How it is with the store, for an end point such as `/healthz`. That it is out of reach raises nothing: the answer
        says so.

        Waits for no other thread; for a server as long as for a connection to it, and while the store is followed not at
        all; for a program that holds a SQLite file 5 s.
        """
    @property
    def url(self) -> str:
        """What names the store."""
    @property
    def limits_state(self) -> dict[str, Any] | None:
        """What this process knows of the server of `limits`, as a dict; None without one. `server`, `connected`, `sharers`: how
        many processes count there, as last seen; `asked`: how many questions there were; `alone`: how many of them this
        process has decided alone; `troubles`: how often there was which; `last`: what went wrong last, or None. Asks
        nothing: `ApiKeys.check_limits` does.
        """
    def close(self) -> None:
        """Writes down what is pending, lets go of files, and ends everything that was handed out: each call of it raises
        `UsageError` from now on and changes nothing. A second call does nothing.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None = None,
        _error: BaseException | None = None,
        _trace: TracebackType | None = None,
        /,
    ) -> None: ...

@final
class StoreHealth:
    """How it is with a store. Nothing of it is secret: no URL, no host, no name.

    `str()` is its JSON, for an end point such as `/healthz`.
    """
    @property
    def kind(self) -> str:
        """What keeps it: `memory`, `sqlite`, `folder` or `postgresql`."""
    @property
    def reachable(self) -> bool:
        """Whether the store answers, and is accepted as it is."""
    @property
    def heard_ago(self) -> float | None:
        """How many seconds ago this process last heard of the store, by a clock that goes on while the machine is suspended;
        None if it never has.
        """
    @property
    def looked_ago(self) -> float | None:
        """How many seconds ago what was handed out has last looked for changes: the one whose look is the oldest. Who is
        not used does not look. None if nothing has looked yet.
        """
    @property
    def position(self) -> int | None:
        """The number of the last change in the store; None if it is not known."""
    @property
    def version(self) -> str | None:
        """The version of PostgreSQL, as the server says it, or of the SQLite library; None if it is not known."""
    @property
    def writable(self) -> bool | None:
        """Whether this process may change what is in the store; None if it is not known."""
    @property
    def error(self) -> str | None:
        """Why it is not reachable: the `code` of an error, such as `store_unavailable`; None if it is."""

@final
class KeyRing:
    """The keys of a signer over time: one signs, the next one is published already, retired ones are good
    until their last token has expired.

    Made by `KeyRing.open`. `Signer(ring)` and `Verifier(ring)` follow it without a restart, in other
    processes within 50 ms.
    """
    @staticmethod
    def open(
        url: str | PathLike[str],
        *,
        name: str = "default",
        alg: str = "ES256",
        token_ttl: _Seconds | None = None,
        keys: Iterable[Key] = (),
        max_stale: _Seconds = 30,
        pepper: _Peppers | None = None,
        clock: _Clock | None = None,
    ) -> KeyRing:
        """The short way for a program that keeps nothing else there: `Store.open(url).key_ring(name)`. A ring that is not
        there is made.

        - `url`: as for `Store.open`; in a folder, `folder:/path`, which only its owner may read, the keys lie open in
          files of mode 0600 unless there is a pepper.
        - `name`: of the ring in its store or folder.
        - `alg`: the algorithm of new keys.
        - `token_ttl`: the longest life of a token that signers of this handle sign, in seconds. The ring remembers the
          longest that it was ever opened with, and keeps a retired key for that long, and 600 seconds. None is what it
          remembers; 900 if it is new.
        - `keys`: keys that were not made here, such as those of `Key.with_callback`: a ring that is not there is made with
          the first as its active key and the second as its next. For a ring that is there, they are the callbacks that
          this process has; a new key is given to `add`.
        - `max_stale`: seconds for which the keys are used if the store is out of reach; 30.
        - `pepper`: as for `Store.open`.
        - `clock`: a callable, or an object with `now()`, that gives the seconds since 1970.
        """
    def rotate(self) -> RingKey:
        """Makes the next key the active one, retires the one that was, and makes a new next one. The new
        active key. Wait with a second rotation until all that cache the set have fetched the next one.
        """
    def add(self, key: Key) -> RingKey:
        """Makes a key that was not made here the next one: a key of a KMS or HSM (`Key.with_callback`), or one that the ring
        takes over. `rotate()` makes it the active one. A next key that has never signed is dropped for it.

        Of a key with a callback, the ring keeps the public half, and each process that signs must have the callback: by
        this call, which changes nothing if the ring has the key already, or by `keys` when it opens the ring. While such
        a key is active, the ring makes no keys of its own.
        """
    def remove(self, kid: str) -> None:
        """Takes a key out at once: for the day that it has leaked. Raises `RingKeyNotFoundError`."""
    def keys(self) -> list[RingKey]:
        """The next key, the active one, and the retired ones, the latest first."""
    @property
    def active(self) -> RingKey:
        """The key that signs."""
    @property
    def token_ttl(self) -> int:
        """The longest life of a token, in seconds, that the ring was ever opened with, by any process. A retired key
        stays good for that long and 600 seconds more.
        """
    def to_jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517), to be published: the next one, too."""
    def refresh(self) -> None:
        """Looks now at what other processes have changed."""

@final
class RingKey:
    """A key of a ring, without the key. Times are in seconds since 1970."""
    @property
    def kid(self) -> str:
        """The key's name in its tokens."""
    @property
    def alg(self) -> str:
        """Its algorithm."""
    @property
    def state(self) -> str:
        """`next`, `active` or `retired`."""
    @property
    def created_at(self) -> int:
        """When it was made."""
    @property
    def active_at(self) -> int | None:
        """When it became active."""
    @property
    def retired_at(self) -> int | None:
        """When it was retired."""
    @property
    def until(self) -> int | None:
        """Until when its tokens are good, if it is retired."""
    @property
    def by_callback(self) -> bool:
        """Whether it lies in a KMS or HSM: the ring has its public half alone."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Cookie:
    """A cookie of one name: how it is set, cleared and read (RFC 6265bis).

    A combination that a browser would refuse, cut, or send where it should not go is a
    ConfigurationError. The name should begin with `__Host-`, which keeps other hosts of the domain from
    planting one. `secure=False` needs `danger_allow_http=True`, for development without HTTPS.
    """
    def __new__(
        cls,
        name: str,
        *,
        path: str = "/",
        domain: str | None = None,
        max_age: _Seconds | None = None,
        same_site: str = "Lax",
        secure: bool = True,
        http_only: bool = True,
        partitioned: bool = False,
        danger_allow_http: bool = False,
    ) -> Cookie: ...
    @property
    def name(self) -> str:
        """The name."""
    def set(self, value: str) -> str:
        """The value of a `Set-Cookie` header that sets it. `value` is visible ASCII without quotes, commas,
        semicolons and backslashes; with the name it has at most 4096 bytes.
        """
    def clear(self) -> str:
        """The value of a `Set-Cookie` header that makes the browser forget it."""
    def read(self, header: str | None) -> str | None:
        """What a `Cookie` header says it is, or None. Several headers (HTTP/2) are to be joined with `; `
        before. A name that comes twice is a MalformedCookieError: another host may have planted one.
        """

@final
class Csrf:
    """Makes and checks CSRF tokens, which are bound to a session, under a secret of at least 32 random
    bytes. Nothing is stored.

    `allow_same_site` accepts requests of other hosts of the same site: only where all are trusted.
    `danger_allow_http` accepts an `Origin` of `http://`, for development.
    """
    def __new__(
        cls,
        secret: str | bytes,
        *,
        allow_same_site: bool = False,
        danger_allow_http: bool = False,
    ) -> Csrf: ...
    def issue(self, session_id: str) -> str:
        """A new token for this session: 64 characters of base64url."""
    def check(
        self,
        session_id: str | None,
        token: str | None,
        *,
        method: str,
        sec_fetch_site: str | None = None,
        origin: str | None = None,
        host: str | None = None,
    ) -> None:
        """Lets a request pass that is harmless (GET, HEAD, OPTIONS), or that no other site has caused and
        that brings a token of this session; raises CsrfError otherwise, and MissingCredentialsError if there is no session
        (`session_id` is None).

        `sec_fetch_site` and `origin` are the headers of these names, `host` the name under which users
        know the service; an `origin` needs it.
        """

def api_key_from_headers(
    pairs: Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]],
    *,
    place: str | None = None,
) -> str | None:
    """The API key among a request's headers, given as pairs of name and value: of
    `Authorization: Bearer` or of `X-API-Key`; `None` if there is no key.

    `place` reads one place alone, `"authorization"` or `"api_key"` (`X-API-Key`): for clients that send an API key
    beside a token of their user's, which is not looked at here.

    Raises `MalformedApiKeyError` if there is more than one, or an empty one.
    """

def api_key_from_query(query: str | bytes, parameter: str) -> str | None:
    """The API key in a query string, for clients that can do nothing else: addresses end up in logs."""

def _bounded(value: object, what: str, most: int) -> int:
    """A number from 0 to `most`, for options that go to the core as JSON."""

def _milliseconds(value: _Seconds, what: str) -> int:
    """A length of time in milliseconds."""

def _named(text: str) -> str:
    """A name as a message shows it: not what may be a secret, given by mistake."""

def _seconds(value: object, what: str) -> int:
    """A length of time in whole seconds, rounded down, for options that go to the core as JSON."""

def scan_rule(prefix: str) -> dict[str, str]:
    """Rules for secret scanners, as a dict: `regex`, and `gitleaks` as TOML."""

def store_backup(
    url: str | PathLike[str],
    to: str | PathLike[str],
    *,
    pepper_to: str | PathLike[str] | None = None,
    pepper_file: str | PathLike[str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, int]:
    """Copies a store to the file `to`, which must not be there, while the store is in use: its state of one
    moment, checked, in one file that only its owner may read.

    - `pepper_to`: a file that receives the pepper file as well; keep it apart from the backup. Without it
      the pepper is not copied.
    - `pepper_file`: where the pepper file is, unless it lies beside the store.
    - `progress`: a callable that hears how many pages are done, of how many; if it raises, the copy stops.

    A dict: `bytes`, `api_keys`, `sessions`.
    """

def store_restore(
    backup: str | PathLike[str],
    url: str | PathLike[str],
    *,
    force: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Puts a backup, which stays as it is, in the place of a store. A store that is there is kept under another
    name. The pepper is not touched.

    - `force`: replaces a store that programs have open; restart them afterwards.
    - `progress`: as in `store_backup`.

    A dict: `bytes`, `api_keys`, `sessions`, `replaced` (a path or None) and `must_acknowledge`, whether the
    store is refused until `store_acknowledge_restore` is called.
    """

class _Acknowledged(TypedDict):
    sessions: int
    api_keys: int
    key_rings: int
    was_refused: bool
    damaged_key_rings: _List[str]

def store_acknowledge_restore(
    url: str | PathLike[str],
    *,
    revoke_before: float | datetime,
    keep_api_keys: bool = False,
    keep_key_rings: bool = False,
    pepper: _Peppers | None = None,
) -> _Acknowledged:
    """Accepts a store, or a folder of key rings, that is older than its mark, such as a backup that was put back, after everything from
    before a moment has ended: sessions and access tokens always, API keys (disabled) and the keys of key
    rings (replaced by new ones) unless they are to be kept.

    - `revoke_before`: the time of the restore, as seconds since 1970 or an aware datetime; 0 ends nothing, for
      a store that was only moved.
    - `pepper`: as in `ApiKeys.open`.

    A dict: how many `sessions`, `api_keys`, `key_rings`; `damaged_key_rings`, the names of those whose rows were altered from
    outside or cannot be read, which stay as they are; and `was_refused`: if it was not, what was asked for has ended all
    the same.
    """

def _main(arguments: list[str]) -> int:
    """Runs the command line and returns its exit code; docs/cli.md."""

def _public_message(number: int) -> str:
    """What the caller may be told of the kind with this number."""

def _error_headers(number: int, retry_after: float | None) -> dict[str, str]:
    """The headers of the HTTP answer for the kind with this number."""

OAUTH_PRESETS: tuple[str, ...]

@final
class HttpTransport:
    """The built-in transport: blocking, HTTPS only, no redirects; no proxy and nothing from the environment unless it is asked
    for.

    - `allow_loopback_http`: plain HTTP to this very machine, for tests.
    - `public_only`: only public addresses, checked when connecting: for URLs that others may choose.
    - `deadline`: seconds that a request may take in all, at the most; 10.
    - `ca`: certificate authorities (PEM) to trust instead of Mozilla's.
    - `proxy`: `http://[user[:password]@]host[:port]`, for https requests, or `environment` for what `https_proxy`,
      `all_proxy` and `no_proxy` say now. It looks names up, and is refused together with `public_only`.
    - `client_certificate`: a pair of PEM texts, the chain and its private key (RFC 8705).
    """
    def __new__(
        cls,
        *,
        allow_loopback_http: bool = False,
        public_only: bool = False,
        deadline: _Seconds = 10.0,
        ca: str | None = None,
        client_certificate: tuple[str, str] | None = None,
        proxy: str | None = None,
    ) -> HttpTransport: ...
    def _check(self, url: str, addresses: list[str]) -> None:
        """Whether it would send to this address, whose host has these addresses; raises if not. For `gatekey.aio`."""
    def _send(self, request: HttpRequest) -> tuple[int, list[tuple[str, str]], bytes]:
        """Sends a request and gives status, headers and body. For `gatekey.aio`."""

@final
class HttpRequest:
    """A request to another server, for the transport that sends it: `method`, `url`, `headers`, `body`, the `deadline`
    in seconds, the most bytes of the answer's body (`max_body`) and what it is for (`purpose`).

    Follow no redirect, ask for no compression, and keep to deadline and max_body.
    """
    @property
    def method(self) -> str:
        """`GET` or `POST`."""
    @property
    def url(self) -> str:
        """The absolute address."""
    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in lower case, and values; they hold secrets."""
    @property
    def body(self) -> bytes | None:
        """The body of a `POST`, which holds secrets, or None."""
    @property
    def deadline(self) -> float:
        """Seconds that everything may take."""
    @property
    def max_body(self) -> int:
        """The most bytes of the answer's body."""
    @property
    def purpose(self) -> str:
        """`metadata`, `keys`, `token`, `userinfo`, `introspection`, `revocation`, `pushed_authorization` or
        `device_authorization`.
        """

@final
class BegunLogin:
    """A log-in that has begun: send the browser to `url`, with every one of `set_cookies`."""
    @property
    def url(self) -> str:
        """Where to send the browser."""
    @property
    def set_cookies(self) -> list[str]:
        """The values of the `Set-Cookie` headers that must go with it."""

@final
class FinishedLogin:
    """A log-in that has succeeded."""
    @property
    def tokens(self) -> OAuthTokens:
        """The tokens."""
    @property
    def issuer(self) -> str:
        """Whose user signed in: subjects are names of their issuer's. For a provider without an issuer, its token endpoint."""
    @property
    def subject(self) -> str | None:
        """Who signed in, together with the issuer: the ID token's `sub`. None without OpenID Connect (GitHub and others);
        then ask `userinfo`.
        """
    @property
    def verified_email(self) -> str | None:
        """The ID token's `email`, where the provider says that it is the user's and proven, or None. Unlike the claim
        `email_verified`, which some write as a text, it cannot be mistaken.
        """
    @property
    def claims(self) -> dict[str, Any] | None:
        """The ID token's claims as a new dict, or None."""
    @property
    def user(self) -> dict[str, Any] | None:
        """What Apple posts along the first time, not signed, or None."""
    @property
    def return_to(self) -> str:
        """The page of this site to go to: a path."""
    @property
    def set_cookies(self) -> list[str]:
        """The values of the `Set-Cookie` headers that must go with the answer."""

@final
class OAuthTokens:
    """What a token endpoint gave (RFC 6749 section 5.1): handed out by a client, or made of a refresh token that was got in
    another way, for example by another library. Without an access token the first use refreshes.

    - `issuer`: who gave them: the issuer of the client that will use them.
    - `subject`: who signed in, if that is known; a refresh that names another one is then refused.
    - `expires_at`: seconds since 1970; for an access token that is given.
    """
    def __new__(
        cls,
        issuer: str,
        *,
        refresh_token: str,
        access_token: str | None = None,
        expires_at: int | None = None,
        scopes: str | Iterable[str] = (),
        resources: str | Iterable[str] = (),
        subject: str | None = None,
    ) -> OAuthTokens: ...
    @staticmethod
    def from_secret_json(text: str | bytes) -> OAuthTokens:
        """Reads what `to_secret_json` has written. Raises `StoreCorruptError` for anything else."""
    def to_secret_json(self) -> bytes:
        """All of it, tokens included, as JSON, to be kept in a safe place: a person who reads it can act as the user."""
    @property
    def issuer(self) -> str:
        """Who gave it: the issuer, or the token endpoint of a server without one."""
    @property
    def access_token(self) -> str:
        """What is sent to the API, as `Authorization: Bearer`."""
    @property
    def expires_at(self) -> int | None:
        """When it expires, in seconds since 1970, or None if the server did not say."""
    @property
    def refresh_token(self) -> str | None:
        """What gets the next access token, or None."""
    @property
    def scopes(self) -> list[str]:
        """What was granted."""
    @property
    def resources(self) -> list[str]:
        """The APIs that the access token was asked for (RFC 8707); a refresh asks for the same."""
    @property
    def id_token(self) -> str | None:
        """Who signed in, as a token that has been verified, or None."""
    @property
    def claims(self) -> dict[str, Any] | None:
        """Its claims as a new dict, or None."""
    @property
    def subject(self) -> str | None:
        """Its `sub`, or None."""
    @property
    def verified_email(self) -> str | None:
        """Its `email`, where the provider says that it is the user's and proven, or None."""
    @property
    def issued_token_type(self) -> str | None:
        """What kind of token an exchange has given (RFC 8693 section 2.2.1), or None."""

@final
class DeviceCodes:
    """What a device shows its user (RFC 8628 section 3.2)."""
    @property
    def user_code(self) -> str:
        """What the user types in."""
    @property
    def verification_uri(self) -> str:
        """Where."""
    @property
    def verification_uri_complete(self) -> str | None:
        """The same with the code in it, for a link or a picture, or None."""
    @property
    def expires_at(self) -> int:
        """When the codes expire, in seconds since 1970."""
    @property
    def interval(self) -> int:
        """Seconds between two questions."""

@final
class UserInfo:
    """What a server knows about a user."""
    @property
    def issuer(self) -> str:
        """Whose user it is, as `FinishedLogin.issuer`: keep it with the subject."""
    @property
    def subject(self) -> str:
        """Who it is, as the server names users."""
    @property
    def verified_email(self) -> str | None:
        """An address that the provider says is the user's and proven, or None."""
    @property
    def claims(self) -> dict[str, Any]:
        """Everything the server said, as a new dict."""

@final
class Introspection:
    """What a server says about a token (RFC 7662 section 2.2)."""
    @property
    def active(self) -> bool:
        """Whether it is good."""
    @property
    def scopes(self) -> list[str]:
        """What it allows."""
    @property
    def subject(self) -> str | None:
        """Whom it is about, or None."""
    @property
    def client_id(self) -> str | None:
        """Whom it was issued to, or None."""
    @property
    def expires_at(self) -> int | None:
        """When it expires, in seconds since 1970, or None."""
    @property
    def issued_at(self) -> int | None:
        """When it was issued, in seconds since 1970, or None."""
    @property
    def claims(self) -> dict[str, Any]:
        """Everything the server said, as a new dict."""

@final
class LogoutNotice:
    """A session that the authorization server has ended (Back-Channel Logout 1.0)."""
    @property
    def subject(self) -> str | None:
        """Whose sessions end, or None."""
    @property
    def session_id(self) -> str | None:
        """The server's session, or None: the `sid` of the ID token."""
    @property
    def token_id(self) -> str:
        """The token's id, for `Revocations.seen_once`."""
    @property
    def expires_at(self) -> int:
        """When the token expires, in seconds since 1970."""

@final
class Access:
    """Who calls, and what they may do: what a `ResourceServer` or a guard has found."""
    @property
    def kind(self) -> Literal["api_key", "session", "jwt", "opaque"] | None:
        """What they presented: `api_key`, `session`, `jwt` or `opaque`; None of a caller that is not known."""
    @property
    def is_anonymous(self) -> bool:
        """Whether the caller is not known: of a route that is public, or where a credential is optional."""
    @property
    def proved_by(self) -> Literal["cookie", "key", "bearer"] | None:
        """What of the request proved it to a guard: `cookie`, `key` or `bearer`; else None."""
    @property
    def issuer(self) -> str | None:
        """Who says so: a token's `iss`, or the server that was asked; None for an API key. Subjects are names of this
        issuer's.
        """
    @property
    def tenant(self) -> str | None:
        """The tenant: an API key's own, or that of a token's claim (`tenant_claim`); or None. Owners are names of this tenant's."""
    @property
    def subject(self) -> str | None:
        """Who it is: a token's `sub`, an API key's owner, or None."""
    @property
    def client_id(self) -> str | None:
        """What acts for them: a token's `client_id`, an API key's id, or None."""
    @property
    def scopes(self) -> list[str]:
        """What was granted."""
    def has_scope(self, scope: str) -> bool:
        """Whether this scope was granted."""
    @property
    def expires_at(self) -> int | None:
        """Until when, in seconds since 1970, or None."""
    @property
    def claims(self) -> dict[str, Any]:
        """The token's claims, or the server's answer, as a new dict; empty for an API key."""
    @property
    def key(self) -> ApiKeyRecord | None:
        """The API key that a guard has accepted, with its name, meta and rate; else None."""
    @property
    def session(self) -> str | None:
        """The id of the session, of the access token of one of a guard's own; else None."""
    @property
    def other(self) -> Access | None:
        """The second credential of a demand for a pair; else None."""
    @property
    def address(self) -> str | None:
        """The caller's address as a guard knows it, past the proxies that it trusts; else None."""

@final
class SessionCookies:
    """The cookies of a session in a browser: the access token, the refresh token, and a CSRF token that scripts read and send
    back in a header.

    - `names`: what the three are called, behind `__Host-`. Services on one host name, on several ports, need different ones.
    - `refresh_path`: the refresh token is sent under this path alone, such as `/auth`; its name begins with `__Secure-` then.
    - `same_site`: when the access token is sent with requests that other sites cause; the refresh token never is.
    - `danger_allow_http`: for development without HTTPS; the names have no prefix then.
    """
    def __new__(
        cls,
        csrf: Csrf,
        *,
        names: Sequence[str] = ("access", "refresh", "csrf"),
        refresh_path: str | None = None,
        same_site: str = "Lax",
        danger_allow_http: bool = False,
    ) -> SessionCookies: ...
    def set(self, tokens: SessionTokens) -> list[str]:
        """The values of the three `Set-Cookie` headers after a log-in and after a refresh."""
    def clear(self) -> list[str]:
        """The values of the three `Set-Cookie` headers that make a browser forget them: when the session is over, not before."""
    def read(self, header: str | None) -> SentCookies:
        """What a `Cookie` header says they are. Several headers (HTTP/2) are to be joined with `; ` before. A name that comes
        twice with different values is a MalformedCookieError: another host may have planted one.
        """
    @property
    def names(self) -> tuple[str, str, str]:
        """The names: of the access token, of the refresh token, of the CSRF token."""
    @property
    def allows_http(self) -> bool:
        """Whether they are for development without HTTPS."""

@final
class SentCookies:
    """What a request brings of a session's cookies: none of it is trusted."""
    @property
    def access(self) -> str | None:
        """The access token, or None."""
    @property
    def refresh(self) -> str | None:
        """The refresh token, or None."""
    @property
    def csrf(self) -> str | None:
        """The CSRF token that pages read, or None. It proves nothing in a cookie."""

@final
class _Request:
    """A request for a guard; an implementation detail of the adapters for frameworks."""
    @staticmethod
    def of_asgi(scope: Mapping[str, Any], csrf_field: str | None = None) -> _Request:
        """The request of an ASGI scope, of HTTP or a websocket."""
    @staticmethod
    def of_wsgi(environ: dict[str, Any], csrf_field: str | None = None) -> _Request:
        """The request of a WSGI environment (PEP 3333), whose names of headers are those of CGI."""
    @property
    def is_rewritten(self) -> bool:
        """Whether the server has put the address of a header in the place of the peer's, as uvicorn does unless it is started
        with `--no-proxy-headers`: such a peer has the port 0.
        """
    @property
    def method(self) -> str:
        """Its method, for the log."""
    @property
    def path(self) -> str:
        """Its path, without the query, for the log."""

@final
class _Demand:
    """What a route demands of its caller; an implementation detail of `gatekey.guard`."""
    def __new__(
        cls,
        *,
        kinds: str | Iterable[str] | None = None,
        scopes: str | Iterable[str] | None = None,
        any_of: str | Iterable[str] | None = None,
        tenant: str | None = None,
        claims: Mapping[str, object] | None = None,
        acr_values: str | Iterable[str] | None = None,
        max_age: _Seconds | None = None,
        fresh: bool = False,
        cost: int | None = None,
        limits: Mapping[str, str] | None = None,
        csrf: Literal["always", False] | None = None,
        own_pages: bool = False,
        optional: bool = False,
        public: bool = False,
        pair: str | Iterable[str] | None = None,
        same_tenant: bool = False,
        same_subject: bool = False,
    ) -> _Demand: ...
    def in_tenant(self, tenant: str) -> _Demand:
        """The same for one tenant: of a path, for example."""
    @property
    def is_public(self) -> bool:
        """Whether no credential is looked at."""
    @property
    def is_optional(self) -> bool:
        """Whether callers without a credential are let in."""
    @property
    def pair(self) -> list[str]:
        """The kinds of a second credential that must also be there; none: there is no second."""
    @property
    def kinds(self) -> list[str]:
        """The kinds that are taken; none: every kind."""
    @property
    def scopes(self) -> list[str]:
        """The scopes that are wanted, all of them."""
    @property
    def any_scopes(self) -> list[str]:
        """The scopes of which one is wanted."""

@final
class _Decision:
    """What a guard has decided; an implementation detail of the adapters for frameworks."""
    @property
    def is_allowed(self) -> bool:
        """Whether the request may go on."""
    @property
    def status(self) -> int:
        """The HTTP status: 200 if it may."""
    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that go with the answer, `Vary` first."""
    @property
    def body(self) -> str | None:
        """The body of a refusal, as JSON; else None."""
    @property
    def access(self) -> Access | None:
        """Who calls, if the request may go on; else None."""
    @property
    def error(self) -> GatekeyError | None:
        """Why not, as an exception for the log; else None."""
    @property
    def tokens(self) -> SessionTokens | None:
        """The tokens of a log-in or a refresh; else None."""

@final
class _FormerTokens:
    """The access tokens of what a service had before, until a date; an implementation detail of `gatekey.simplejwt`."""
    def __new__(
        cls,
        keys: KeySet | Key | Iterable[Key],
        *,
        user_claim: str,
        until: _Moment,
        claims: Mapping[str, object],
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        leeway: _Seconds | None = None,
    ) -> _FormerTokens: ...

@final
class _Guard:
    """What is behind `gatekey.guard.Guard`."""
    def __new__(
        cls,
        *,
        api_keys: ApiKeys | None = None,
        sessions: Sessions | None = None,
        tokens: _ResourceServer | None = None,
        former: _FormerTokens | None = None,
        revocations: Revocations | None = None,
        cookies: SessionCookies | None = None,
        origins: str | Iterable[str] | None = None,
        trusted_proxies: str | Iterable[str] | None = None,
        forwarded_header: str | None = None,
        exact_names: bool = False,
        api_key_header: str | None = None,
        csrf_header: str | None = None,
        realm: str | None = None,
        metadata_url: str | None = None,
        ipv6_prefix: int | None = None,
        limits: str | None = None,
        clock: _Clock | None = None,
    ) -> _Guard: ...
    def check(
        self, request: _Request, demand: _Demand, user: tuple[str, _List[str]] | None = None
    ) -> _Decision:
        """Decides a request: with the GIL as far as memory goes, without it where something is waited for. `user`: whom the
        program has looked up, with what is granted, for former tokens.
        """
    def check_demand(self, demand: _Demand) -> None:
        """That callers of this guard can meet a demand."""
    def former_user(self, request: _Request) -> tuple[str, str] | None:
        """Whose former token the request brings, with its claims as JSON; None if it brings none that is good by itself."""
    def address_of(self, request: _Request) -> str | None:
        """Who makes the request, as far as that can be known: for the log."""
    def form_token(self, request: _Request) -> tuple[str, str | None]:
        """The CSRF token of a page with a form of a caller who is not known yet, and the `Set-Cookie` that belongs to it."""
    def try_check(
        self, request: _Request, demand: _Demand, user: tuple[str, _List[str]] | None = None
    ) -> _Decision | None:
        """The decision, if memory is enough for it; else None, and nothing was taken."""
    def refuse(self, number: int, demand: _Demand) -> _Decision:
        """The answer where a request could not be decided, because another server gave none: the number of that error."""
    def log_in(
        self,
        subject: str,
        claims: Mapping[str, object] | None = None,
        client: str | bytes | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> _Decision:
        """Starts a session, after a log-in."""
    def refresh(self, request: _Request, claims: Mapping[str, object] | None = None) -> _Decision:
        """Exchanges the refresh cookie for new cookies."""
    def log_out(self, request: _Request) -> _Decision:
        """Ends the session of the request, and clears its cookies."""
    def metadata_json(self) -> str:
        """The metadata of this API, as JSON."""
    @property
    def metadata_path(self) -> str | None:
        """The path that the metadata are served at, if the API's identifier is an address."""
    @property
    def limits_state(self) -> dict[str, Any] | None:
        """What this process knows of the server that the limits are counted in; see `Store.limits_state`."""

@final
class _Told:
    """What another server has answered, for the next try of the calls that waited for it."""

def _attempt(
    call: Callable[[], _T], may_wait: bool, told: Sequence[_Told] = ...
) -> tuple[_T] | tuple[str, _Operation] | None:
    """Makes a call without asking other servers and, unless `may_wait`, with memory only; `told` is what its earlier tries
    have asked for.

    Gives `(result,)`, or raises what it raises; `(about, operation)`: drive the operation, and call again with what it
    gives; None: it has to wait for something of this machine.
    """

@final
class _Operation:
    """Something that takes requests to another server; an implementation detail of `gatekey.oauth`."""
    def step(self) -> HttpRequest | float | None:
        """What it wants: an `HttpRequest` to be sent, a number of seconds to wait, or None: it is over."""
    def send(self, transport: _Transport) -> None:
        """Sends the request and takes the answer, or the failure."""
    def feed(self, answer: object) -> None:
        """What a transport of the loop gave: status, headers and body."""
    def fail(self, error: BaseException, cause: BaseException | None) -> None:
        """A transport of the loop gave no answer: the kind of error that it is, and what it is due to."""
    def close(self) -> None:
        """Gives it up: what it holds is let go of now, not when the last reference to it goes."""
    def result(self) -> Any:
        """What it has ended with."""

@final
class _OAuthClient:
    """The client behind `gatekey.oauth.OAuthClient`: it makes operations."""
    def __new__(
        cls,
        config: str,
        *,
        flow_keys: _Secrets | None = None,
        replay: Revocations | None = None,
        clock: _Clock | None = None,
    ) -> _OAuthClient: ...
    @property
    def client_id(self) -> str: ...
    @property
    def issuer(self) -> str | None: ...
    def begin(self, options: str, cookies: str) -> _Operation: ...
    def finish(self, callback: str, cookies: str, grant: str | None = None) -> _Operation: ...
    def end_login(self, callback: str) -> str | None: ...
    def refresh(self, tokens: OAuthTokens, grant: str | None = None) -> _Operation: ...
    def client_credentials(self, grant: str) -> _Operation: ...
    def jwt_bearer(self, assertion: str, grant: str) -> _Operation: ...
    def token_exchange(self, exchange: str) -> _Operation: ...
    def device_codes(self, grant: str) -> _Operation: ...
    def poll(self, codes: DeviceCodes, grant: str | None = None) -> _Operation: ...
    def userinfo(self, tokens: OAuthTokens | str) -> _Operation:
        """Of tokens, or of an access token alone."""
    def metadata(self) -> _Operation: ...
    def introspect(self, token: str, grant: str | None = None) -> _Operation: ...
    def revoke(self, token: str, is_refresh_token: bool) -> _Operation: ...
    def logout_url(
        self, id_token: str | None, post_logout_redirect_uri: str | None, state: str | None
    ) -> _Operation: ...
    def logout_notice(self, logout_token: str) -> _Operation: ...

@disjoint_base
class _RemoteKeySet:
    """The keys behind `gatekey.RemoteKeySet`, as the core follows them."""
    def __new__(
        cls, options: str, transport: _Transport | None, clock: _Clock | None = None
    ) -> Self: ...
    def _refresh(self) -> _Operation:
        """Fetches the keys now."""
    def _plain(self) -> _RemoteKeySet:
        """The same keys, for the classes of `gatekey.aio`, which fetch them."""
    @property
    def _about(self) -> str:
        """What the operations are about that `_attempt` gives for want of these keys."""
    @property
    def wants_refresh(self) -> bool:
        """Whether it is time to fetch the keys."""
    @property
    def skipped(self) -> tuple[SkippedKey, ...]:
        """The members of the issuer's key set that cannot be used, each as a `SkippedKey` with its `kid` and the `reason`: of
        the keys that are held, without asking for others.
        """
    def to_jwks(self) -> dict[str, Any]:
        """The keys as a JWK Set (RFC 7517), as a new dict; fetched if need be."""

@final
class _TokenManager:
    """What is behind `gatekey.TokenManager`. Every call may wait for another thread or process; the GIL is released."""
    def __new__(
        cls,
        client: _OAuthClient,
        folder: str | None,
        transport: _Transport | None,
        *,
        seal: _Secrets | None = None,
        grant: str | None = None,
        refresh_with: str | None = None,
    ) -> _TokenManager: ...
    def put(self, name: str, tokens: OAuthTokens) -> None: ...
    def remove(self, name: str) -> None: ...
    def tokens(self, name: str, min_ttl: int) -> OAuthTokens: ...
    def known(self, name: str, min_ttl: int) -> OAuthTokens | None: ...
    def replace(self, name: str, refused: str) -> OAuthTokens: ...
    def _renewal(self, name: str, min_ttl: int, refused: str | None) -> _Operation:
        """`tokens`, or `replace` of a refused one, to be driven."""

@final
class _ResourceServer:
    """What is behind `gatekey.ResourceServer`."""
    def __new__(
        cls,
        options: str,
        *,
        keys: _RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key] | None = None,
        issuers: Sequence[tuple[str, _RemoteKeySet | KeySet | KeyRing | Key | Iterable[Key]]] = ...,
        introspection: tuple[_OAuthClient, _Transport | None, int, int, bool, int] | None = None,
        api_keys: ApiKeys | None = None,
        revocations: Revocations | None = None,
        clock: _Clock | None = None,
    ) -> _ResourceServer: ...
    @property
    def metadata_path(self) -> str | None:
        """For the HTTP status and challenge of the refusals of others."""
    def check(
        self,
        authorization: str | None,
        api_key: str | None,
        scopes: str | Iterable[str],
        acr_values: str | Iterable[str],
        max_age: _Seconds | None,
        address: str | IPv4Address | IPv6Address | None,
        tenant: str | None,
        decided_by: str | None,
    ) -> Access:
        """Who calls. The GIL is released: keys may have to be fetched, or the server asked."""
    def metadata_json(self) -> str: ...
