"""One guard at every door: API keys, sessions, tokens of any issuer, decided in the core.

The guards for frameworks are ``gatekey.fastapi.Guard``, and those of ``gatekey.starlette``,
``.litestar``, ``.aiohttp``, ``.flask``, ``.django`` and ``.drf``. They translate requests and
answers, and hold no policy.
"""

from gatekey.guard.answer import Answer
from gatekey.guard.base import Demands, Guard
from gatekey.guard.events import Event
from gatekey.guard.former import FormerTokens

__all__ = ["Answer", "Demands", "Event", "FormerTokens", "Guard"]
