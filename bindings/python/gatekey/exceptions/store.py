"""6000s: what keys, sessions and revocations are kept in."""

from __future__ import annotations

from gatekey.exceptions.apikey import ApiKeyError
from gatekey.exceptions.base import GatekeyError


class StoreError(GatekeyError):
    """What keys are kept in is out of reach, damaged, full or not the right one."""

    status = 503
    _answers_as = 6000


class StoreUnavailableError(StoreError, ApiKeyError):
    """The store cannot be reached or has been out of reach for longer than ``max_stale``."""

    number = 6000
    code = "store_unavailable"
    kind = "StoreUnavailable"
    status = 503
    retryable = True


class StoreCorruptError(StoreError):
    """The store, or a row of it, is damaged, was altered, or is of an unknown version."""

    number = 6001
    code = "store_corrupt"
    kind = "StoreCorrupt"
    status = 503


class StoreConflictError(StoreError):
    """The row has changed since it was read, or exists already."""

    number = 6002
    code = "store_conflict"
    kind = "StoreConflict"
    status = 503
    retryable = True


class StoreReadOnlyError(StoreError):
    """The store is read-only: the file, its folder or the file system."""

    number = 6003
    code = "store_read_only"
    kind = "StoreReadOnly"
    status = 503


class StoreFullError(StoreError):
    """The disk is full; nothing was changed."""

    number = 6004
    code = "store_full"
    kind = "StoreFull"
    status = 503


class WrongPepperError(StoreError):
    """A pepper that the store's rows were made with is missing or has another value."""

    number = 6005
    code = "wrong_pepper"
    kind = "WrongPepper"
    status = 500


class StoreRestoredError(StoreError):
    """The store is older than its mark, as a restored backup is, or one of the two is missing."""

    number = 6006
    code = "store_restored"
    kind = "StoreRestored"
    status = 503
