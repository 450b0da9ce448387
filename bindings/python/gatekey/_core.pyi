from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from datetime import timedelta
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final, overload

from gatekey.exceptions import GatekeyError

__all__ = [
    "ALGORITHMS",
    "ANY",
    "AnyValue",
    "IssuerRule",
    "Key",
    "KeySet",
    "Signer",
    "Unsigned",
    "Verified",
    "Verifier",
    "__version__",
    "danger_decode_unverified",
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
