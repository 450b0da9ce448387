"""Refreshing in Python: `session.py gatekey|simplejwt DIR SECONDS` prints how often, and in how many nanoseconds.

`simplejwt` is djangorestframework-simplejwt as its documentation advises for log-out: refresh tokens
rotate and the old one goes to the blacklist, in SQLite. Every refresh is durable in both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

FOLDER = Path(sys.argv[2])
SECONDS = int(sys.argv[3])


def measure(refresh: Callable[[str], str], tokens: list[str]) -> None:
    for n, token in enumerate(tokens):
        tokens[n] = refresh(token)
    start, count = perf_counter_ns(), 0
    while perf_counter_ns() - start < SECONDS * 10**9:
        at = count % len(tokens)
        tokens[at] = refresh(tokens[at])
        count += 1
    print("refreshed", count, perf_counter_ns() - start, sep="\t", flush=True)


def gatekey() -> None:
    from gatekey import Key, Sessions, Signer

    signer = Signer(Key.from_secret(bytes(range(32)), "HS256"))
    with Sessions.open(f"sqlite:///{FOLDER}/python.sqlite", signer=signer) as sessions:
        tokens = [sessions.start(f"user-{n}").refresh_token for n in range(64)]
        measure(lambda token: sessions.refresh(token).refresh_token, tokens)


def simplejwt() -> None:
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "rest_framework",
            "rest_framework_simplejwt.token_blacklist",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(FOLDER / "simplejwt.sqlite"),
                "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"},
            }
        },
        SECRET_KEY="x" * 50,
        SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
        USE_TZ=True,
    )
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework_simplejwt.serializers import TokenRefreshSerializer
    from rest_framework_simplejwt.tokens import RefreshToken

    call_command("migrate", verbosity=0)
    users = [User.objects.create(username=f"user-{os.getpid()}-{n}") for n in range(64)]
    tokens = [str(RefreshToken.for_user(user)) for user in users]

    def refresh(token: str) -> str:
        serializer = TokenRefreshSerializer(data={"refresh": token})
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data["refresh"]

    measure(refresh, tokens)


if __name__ == "__main__":
    {"gatekey": gatekey, "simplejwt": simplejwt}[sys.argv[1]]()
