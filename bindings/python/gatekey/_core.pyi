from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from types import TracebackType
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, final, overload

from gatekey.exceptions import GatekeyError

__all__ = [
    "ALGORITHMS",
    "ANY",
    "AnyValue",
    "ApiKeyCheck",
    "ApiKeyRecord",
    "ApiKeys",
    "AuditRecord",
    "Cookie",
    "Csrf",
    "ImportReport",
    "IssuedApiKey",
    "IssuerRule",
    "Key",
    "KeySet",
    "Page",
    "PepperUse",
    "Signer",
    "Unsigned",
    "Verified",
    "Verifier",
    "__version__",
    "_main",
    "api_key_from_headers",
    "api_key_from_query",
    "danger_decode_unverified",
    "scan_rule",
]

class _Now(Protocol):
    def now(self) -> int | float: ...

_Clock: TypeAlias = Callable[[], int | float] | _Now
_Keys: TypeAlias = Key | KeySet | Iterable[Key]
_Expected: TypeAlias = str | Iterable[str] | AnyValue | None
_T = TypeVar("_T")

__version__: str
ALGORITHMS: Final[tuple[str, ...]]
ANY: Final[AnyValue]

@final
class AnyValue: ...

@final
class Key:
    @staticmethod
    def generate(alg: str, *, kid: str | None = None, bits: int | None = None) -> Key: ...
    @staticmethod
    def from_secret(
        secret: str | bytes, alg: str, *, kid: str | None = None, danger_allow_weak: bool = False
    ) -> Key: ...
    @staticmethod
    def from_pem(
        data: str | bytes,
        alg: str | None = None,
        *,
        kid: str | None = None,
        danger_allow_weak: bool = False,
    ) -> Key: ...
    @staticmethod
    def from_der(
        data: bytes,
        alg: str | None = None,
        *,
        kid: str | None = None,
        danger_allow_weak: bool = False,
    ) -> Key: ...
    @staticmethod
    def from_jwk(
        jwk: dict[str, Any] | str | bytes,
        alg: str | None = None,
        *,
        kid: str | None = None,
        danger_allow_weak: bool = False,
    ) -> Key: ...
    @property
    def alg(self) -> str: ...
    @property
    def kid(self) -> str: ...
    @property
    def is_private(self) -> bool: ...
    @property
    def is_symmetric(self) -> bool: ...
    def with_kid(self, kid: str) -> Key: ...
    def public(self) -> Key: ...
    def thumbprint(self) -> str: ...
    def thumbprint_uri(self) -> str: ...
    def to_jwk(self, *, private: bool = False) -> dict[str, Any]: ...
    def to_pem(self, *, private: bool = False) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class KeySet:
    def __new__(cls, keys: Iterable[Key]) -> KeySet: ...
    @staticmethod
    def from_jwks(
        jwks: dict[str, Any] | str | bytes, *, default_rsa: str | None = None
    ) -> KeySet: ...
    def to_jwks(self, *, private: bool = False) -> dict[str, Any]: ...
    @property
    def skipped(self) -> int: ...
    @property
    def skipped_reasons(self) -> tuple[GatekeyError, ...]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Key]: ...
    def __getitem__(self, kid: str, /) -> Key: ...
    def __contains__(self, item: Key | str, /) -> bool: ...

@final
class Signer:
    def __new__(
        cls,
        key: Key,
        *,
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        ttl: int | timedelta | None = 900,
        typ: str | None = "JWT",
        kid: bool = True,
        token_ids: bool = True,
        allow_missing_exp: bool = False,
        clock: _Clock | None = None,
    ) -> Signer: ...
    @property
    def key(self) -> Key: ...
    def sign(self, claims: Mapping[str, Any]) -> str: ...
    def prepare(self, claims: Mapping[str, Any]) -> Unsigned: ...

@final
class Unsigned:
    @property
    def signing_input(self) -> str: ...
    def attach(self, signature: bytes) -> str: ...

@final
class Verifier:
    def __new__(
        cls,
        keys: _Keys,
        *,
        issuer: _Expected = None,
        audience: _Expected = None,
        typ: _Expected = None,
        subject: str | None = None,
        leeway: int | timedelta = 0,
        max_age: int | timedelta | None = None,
        required: str | Iterable[str] = (),
        allow_missing_exp: bool = False,
        clock: _Clock | None = None,
        algorithms: str | Iterable[str] | None = None,
        max_token_bytes: int | None = None,
        max_header_bytes: int | None = None,
        try_keys_without_kid: bool = False,
    ) -> Verifier: ...
    @staticmethod
    def for_issuers(
        issuers: Mapping[str, _Keys | IssuerRule],
        *,
        audience: _Expected = None,
        typ: _Expected = None,
        subject: str | None = None,
        leeway: int | timedelta = 0,
        max_age: int | timedelta | None = None,
        required: str | Iterable[str] = (),
        allow_missing_exp: bool = False,
        clock: _Clock | None = None,
        algorithms: str | Iterable[str] | None = None,
        max_token_bytes: int | None = None,
        max_header_bytes: int | None = None,
        try_keys_without_kid: bool = False,
    ) -> Verifier: ...
    def verify(self, token: str | bytes) -> Verified: ...

@final
class IssuerRule:
    def __new__(
        cls,
        keys: _Keys,
        *,
        audience: str | Iterable[str] | None = None,
        algorithms: str | Iterable[str] | None = None,
    ) -> IssuerRule: ...

@final
class Verified(Mapping[str, Any]):
    @property
    def header(self) -> dict[str, Any]: ...
    @property
    def claims(self) -> dict[str, Any]: ...
    @property
    def raw(self) -> bytes: ...
    @property
    def key_id(self) -> str: ...
    @property
    def alg(self) -> str: ...
    @property
    def issuer(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def audience(self) -> tuple[str, ...]: ...
    @property
    def expires_at(self) -> int | None: ...
    @property
    def not_before(self) -> int | None: ...
    @property
    def issued_at(self) -> int | None: ...
    @property
    def token_id(self) -> str | None: ...
    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    @overload
    def get(self, name: str, default: None = None, /) -> Any | None: ...
    @overload
    def get(self, name: str, default: _T, /) -> Any | _T: ...
    def keys(self) -> KeysView[str]: ...
    def values(self) -> ValuesView[Any]: ...
    def items(self) -> ItemsView[str, Any]: ...

def danger_decode_unverified(token: str | bytes) -> tuple[dict[str, Any], dict[str, Any]]: ...

_Rate: TypeAlias = str | tuple[int, int]
_Credits: TypeAlias = int | Mapping[str, int]
_Cidrs: TypeAlias = Iterable[str | IPv4Network | IPv6Network | IPv4Address | IPv6Address]
_Ip: TypeAlias = str | IPv4Address | IPv6Address
_Moment: TypeAlias = int | float | datetime
_Seconds: TypeAlias = int | timedelta
_Record = TypeVar("_Record", covariant=True)

@final
class ApiKeys:
    @staticmethod
    def open(
        url: str,
        *,
        pepper: bytes | Iterable[tuple[int, bytes]] | None = None,
        prefix: str = "gk",
        env: str = "live",
        strict: bool = False,
        max_stale: _Seconds = 30,
        clock: _Clock | None = None,
    ) -> ApiKeys: ...
    def create(
        self,
        *,
        owner: str,
        name: str = "",
        scopes: str | Iterable[str] = (),
        not_before: _Moment | None = None,
        expires_in: _Seconds | None = None,
        rate: _Rate | None = None,
        credits: _Credits | None = None,
        cidrs: _Cidrs = (),
        meta: Mapping[str, Any] | None = None,
        tenant: str = "",
        actor: str | None = None,
    ) -> IssuedApiKey: ...
    def verify(
        self,
        presented: str | bytes,
        *,
        scopes: str | Iterable[str] = (),
        ip: _Ip | None = None,
        cost: int = 1,
        tenant: str | None = None,
    ) -> ApiKeyRecord: ...
    def check(
        self,
        presented: str | bytes,
        *,
        scopes: str | Iterable[str] = (),
        ip: _Ip | None = None,
        cost: int = 1,
        tenant: str | None = None,
    ) -> ApiKeyCheck: ...
    def rotate(
        self, id: str, *, overlap: _Seconds = 0, actor: str | None = None
    ) -> IssuedApiKey: ...
    def revoke(self, id: str, reason: str = "", *, actor: str | None = None) -> ApiKeyRecord: ...
    def disable(self, id: str, reason: str = "", *, actor: str | None = None) -> ApiKeyRecord: ...
    def enable(self, id: str, *, actor: str | None = None) -> ApiKeyRecord: ...
    def update(self, id: str, *, actor: str | None = None, **changes: Any) -> ApiKeyRecord: ...
    def get(self, id: str) -> ApiKeyRecord: ...
    def list(
        self,
        *,
        owner: str | None = None,
        tenant: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ApiKeyRecord]: ...
    def audit(
        self, *, key_id: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[AuditRecord]: ...
    def import_(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        scheme: str,
        actor: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> ImportReport: ...
    def purge(self, before: _Moment | None = None, *, actor: str | None = None) -> int: ...
    def pepper_report(self) -> _List[PepperUse]: ...
    def wrap_peppers(self, *, actor: str | None = None) -> int: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...
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
    @property
    def id(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    @property
    def env(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def scopes(self) -> tuple[str, ...]: ...
    @property
    def cidrs(self) -> tuple[str, ...]: ...
    @property
    def status(self) -> str: ...
    @property
    def revoked_at(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def not_before(self) -> int | None: ...
    @property
    def expires_at(self) -> int | None: ...
    @property
    def rate(self) -> str | None: ...
    @property
    def credits(self) -> dict[str, int] | None: ...
    @property
    def meta(self) -> dict[str, Any]: ...
    @property
    def created_at(self) -> int: ...
    @property
    def created_by(self) -> str: ...
    @property
    def rotated_at(self) -> int | None: ...
    @property
    def overlap_until(self) -> int | None: ...
    @property
    def last_used_at(self) -> int | None: ...
    @property
    def uses(self) -> int: ...
    @property
    def version(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class IssuedApiKey:
    @property
    def secret(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def record(self) -> ApiKeyRecord: ...

@final
class ApiKeyCheck:
    @property
    def ok(self) -> bool: ...
    @property
    def code(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def retry_after(self) -> float | None: ...
    @property
    def message(self) -> str | None: ...
    @property
    def key_id(self) -> str | None: ...
    @property
    def record(self) -> ApiKeyRecord | None: ...
    def __bool__(self) -> bool: ...
    def raise_for_status(self) -> None: ...

@final
class Page(Generic[_Record]):
    @property
    def records(self) -> list[_Record]: ...
    @property
    def cursor(self) -> str | None: ...
    def __len__(self) -> int: ...
    def __getitem__(self, at: int, /) -> _Record: ...
    def __iter__(self) -> Iterator[_Record]: ...

@final
class AuditRecord:
    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def actor(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def detail(self) -> str: ...

@final
class ImportReport:
    @property
    def imported(self) -> int: ...
    @property
    def ids(self) -> tuple[str, ...]: ...
    @property
    def rejected(self) -> tuple[tuple[int, str], ...]: ...

@final
class PepperUse:
    @property
    def pepper(self) -> int: ...
    @property
    def active(self) -> bool: ...
    @property
    def keys(self) -> int: ...
    @property
    def since(self) -> int: ...

@final
class Cookie:
    def __new__(
        cls,
        name: str,
        *,
        path: str = "/",
        domain: str | None = None,
        max_age: float | timedelta | None = None,
        same_site: str = "Lax",
        secure: bool = True,
        http_only: bool = True,
        partitioned: bool = False,
        danger_allow_http: bool = False,
    ) -> Cookie: ...
    @property
    def name(self) -> str: ...
    def set(self, value: str) -> str: ...
    def clear(self) -> str: ...
    def read(self, header: str | None) -> str | None: ...

@final
class Csrf:
    def __new__(
        cls,
        secret: str | bytes,
        *,
        allow_same_site: bool = False,
        danger_allow_http: bool = False,
    ) -> Csrf: ...
    def issue(self, session_id: str) -> str: ...
    def check(
        self,
        session_id: str,
        token: str | None,
        *,
        method: str,
        sec_fetch_site: str | None = None,
        origin: str | None = None,
        host: str | None = None,
    ) -> None: ...

def api_key_from_headers(
    pairs: Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]],
) -> str | None: ...
def api_key_from_query(query: str | bytes, parameter: str) -> str | None: ...
def scan_rule(prefix: str) -> dict[str, str]: ...
def _main(arguments: list[str]) -> int: ...
