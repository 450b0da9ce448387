"""How a guard decides on an event loop, without stopping it."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from gatekey import aio
from gatekey._core import HttpTransport, _Request
from gatekey.aio.attempt import attempted
from gatekey.aio.operation import in_threads
from gatekey.aio.pool import STORES, Pool
from gatekey.aio.verifier import carriers_of
from gatekey.exceptions import ConfigurationError, OAuthError, StoreError, TransportError
from gatekey.guard.base import Watch
from gatekey.guard.former import found_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekey._core import _Decision, _Demand
    from gatekey.aio.operation import Carrier
    from gatekey.guard.answer import Answer
    from gatekey.guard.base import Guard
    from gatekey.guard.routes import Asked, OwnRoute
    from gatekey.oauth import ResourceServer


REWRITTEN = (
    "The server has put an address of `X-Forwarded-For` in the place of its peer's. Any client can "
    "send that header, and the guard has `trusted_proxies`, which needs the peer's: start uvicorn "
    "with --no-proxy-headers."
)
MOST = 10_000
"""How many calls of hooks may wait for their turn."""
HOOKS = Pool(1)
"""Where hooks of services on event loops are called, one after the other."""


def later(call: Callable[[], None]) -> bool:
    """Have a hook called, with the context of now; whether fewer than ``MOST`` wait for that."""
    if len(HOOKS._jobs) >= MOST:
        return False
    HOOKS.submit(partial(copy_context().run, call))
    return True


async def decided(guard: Guard, request: _Request, demand: _Demand) -> _Decision:
    """Decide from memory at once; what must be asked is asked by the loop, or in a thread."""
    core = guard._core
    if request.is_rewritten and guard._has_proxies:
        raise ConfigurationError(REWRITTEN)
    with Watch(guard, request, later) as watch:
        found = found_in(guard, request)
        user = None if found is None else await guard._look_up(found)
        decision = core.try_check(request, demand, user)
        if decision is None:
            check = partial(core.check, request, demand, user)
            try:
                decision = await attempted(check, carriers(guard.tokens))
            except (OAuthError, TransportError, StoreError) as error:
                # Another server gave no answer. The core remembers that for a while, and refuses.
                decision = core.try_check(request, demand, user)
                decision = decision or core.refuse(error.number, demand)
        return watch.noted(decision)


def carriers(server: ResourceServer | aio.ResourceServer | None) -> Callable[[str], Carrier]:
    """Give what carries the questions that a guard has."""
    if isinstance(server, aio.ResourceServer):
        return server._carrier_of
    fetching = {} if server is None else carriers_of(*server._fetches)

    def carrier_of(about: str) -> Carrier:
        asks = None if server is None else server._asks
        return fetching.get(about) or in_threads(
            HttpTransport() if asks is None else asks._transport
        )

    return carrier_of


async def refused(guard: Guard, scope: Any, number: int) -> _Decision:
    """Refuse the request of a scope because of an error of this number."""
    with Watch(guard, _Request.of_asgi(scope), later) as watch:
        return watch.noted(guard._core.refuse(number, guard.open_demand()))


async def stored(
    guard: Guard, scope: Any, work: Callable[..., _Decision], *args: Any, **about: Any
) -> _Decision:
    """Start or end the session of a request; without a store it is refused, as elsewhere."""
    try:
        return await STORES.run(work, _Request.of_asgi(scope), *args, **about)
    except StoreError as error:
        return await refused(guard, scope, error.number)


async def answered(guard: Guard, route: OwnRoute, asked: Asked) -> Answer:
    """Answer a request to a route of the guard's own."""
    return await STORES.run(route.answer, guard, asked)
