"""`Verifier` and `Signer` for asyncio."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from gatekey import _core
from gatekey._core import HttpTransport, IssuerRule, _attempt, _RemoteKeySet
from gatekey.aio.attempt import attempted, in_memory_or_thread, plain
from gatekey.aio.operation import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from gatekey._core import Key, Verified
    from gatekey.aio.operation import Carrier
    from gatekey.aio.options import IssuersOptions, SignerOptions, VerifierOptions, _Keys
    from gatekey.aio.store import KeyRing

Made = TypeVar("Made")


class Later(Generic[Made]):
    """Something that is made now if memory is enough, and otherwise where it may wait."""

    def __init__(self, make: Callable[[], Made]) -> None:
        """Make it, or note how."""
        self._make = make
        outcome = _attempt(make, False)
        self._made = outcome[0] if outcome is not None and len(outcome) == 1 else None

    def get(self) -> Made:
        """Give it; it may have to wait until it is made."""
        if self._made is None:
            self._made = self._make()
        return self._made


@final
class Verifier:
    """Verifies tokens against keys and a policy. See :class:`gatekey.Verifier`.

    ::

        verifier = Verifier(RemoteKeySet(issuer="https://auth.example"), issuer=..., audience=...)
        claims = await verifier.verify(token)

    Remote keys are fetched by the loop, once for all who wait for them.
    """

    def __init__(self, keys: _Keys, **options: Unpack[VerifierOptions]) -> None:
        """Take the keys and the options of :class:`gatekey.Verifier`."""
        given: dict[str, Any] = {name: plain(value) for name, value in options.items()}
        self._carriers = carriers_of(keys)
        self._inner = Later(partial(_core.Verifier, plain(keys), **given))

    @classmethod
    def for_issuers(
        cls, issuers: Mapping[str, _Keys | IssuerRule], **options: Unpack[IssuersOptions]
    ) -> Verifier:
        """Take several issuers' keys and the options of :meth:`gatekey.Verifier.for_issuers`."""
        own = cls.__new__(cls)
        given: dict[str, Any] = {name: plain(value) for name, value in options.items()}
        plainly = {issuer: plain(keys) for issuer, keys in issuers.items()}
        own._carriers = carriers_of(*issuers.values())
        own._inner = Later(partial(_core.Verifier.for_issuers, plainly, **given))
        return own

    async def verify(self, token: str | bytes | None) -> Verified:
        """Verify a token; see :meth:`gatekey.Verifier.verify`."""
        return await attempted(lambda: self._inner.get().verify(token), self._carrier_of)

    def _carrier_of(self, about: str) -> Carrier:
        return self._carriers.get(about) or HttpTransport()

    def __repr__(self) -> str:
        return "<gatekey.aio.Verifier>"


@final
class Signer:
    """Signs tokens. See :class:`gatekey.Signer`; a key ring is read in a thread."""

    def __init__(
        self, key: Key | KeyRing | _core.KeyRing, **options: Unpack[SignerOptions]
    ) -> None:
        """Take the key, or the ring, and the options of :class:`gatekey.Signer`."""
        given: dict[str, Any] = {**options}
        self._inner = Later(partial(_core.Signer, plain(key), **given))

    async def sign(self, claims: Mapping[str, object]) -> str:
        """Sign a token; see :meth:`gatekey.Signer.sign`."""
        return await in_memory_or_thread(lambda: self._inner.get().sign(claims))

    @property
    def sync(self) -> _core.Signer:
        """The signer itself; where a ring has not been read yet, this reads it."""
        return self._inner.get()

    def __repr__(self) -> str:
        return "<gatekey.aio.Signer>"


def carriers_of(*keys: object) -> dict[str, Carrier]:
    """Give what fetches each of these keys, by what its questions are about."""
    carriers: dict[str, Carrier] = {}
    for given in keys:
        one = given._keys if isinstance(given, IssuerRule) else given
        if isinstance(one, _RemoteKeySet):
            own: Any = one
            carriers[one._about] = getattr(own, "_carrier", None) or in_threads(own._transport)
    return carriers
