"""API keys in Python: `apikey.py gatekey|dict|drf DIR`, as `gatekey-bench-api-keys run DIR` prints.

`dict` is what services write themselves: a dictionary from the SHA-256 of a key to its owner. `drf` is
djangorestframework-api-key with its model in SQLite, asked by `is_valid` as its permission class asks.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter_ns

FOLDER = Path(sys.argv[2])
TEXTS = (FOLDER / "keys.txt").read_text().split("\n")


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def row(name: str, *numbers: float) -> None:
    print(name, *(f"{number:.1f}" for number in numbers), sep="\t", flush=True)


def one_by_one(call: Callable, texts: list) -> tuple[float, float]:
    """The median and the 99th percentile, in nanoseconds."""
    taken = []
    for text in texts:
        start = perf_counter_ns()
        call(text)
        taken.append(perf_counter_ns() - start)
    taken.sort()
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]


def measure(name: str, call: Callable, texts: list[str], together: int = 1_000_000) -> None:
    single = list(islice(cycle(texts), together // 5))
    for text in single:
        call(text)
    many = list(islice(cycle(texts), together))
    start = perf_counter_ns()
    for text in many:
        call(text)
    end = perf_counter_ns()
    for text in many:
        pass
    mean = (end - start - (perf_counter_ns() - end)) / together
    clock, _ = one_by_one(lambda _: None, single)
    p50, p99 = one_by_one(call, single)
    row(name, mean, p50 - clock, p99 - clock)


def gatekey() -> None:
    from gatekey import ApiKeys

    before, start = resident(), perf_counter_ns()
    keys = ApiKeys.open(f"sqlite:///{FOLDER}/keys.sqlite")
    row("open", perf_counter_ns() - start)
    row("bytes", (resident() - before) / len(TEXTS))
    verify, check = keys.verify, keys.check
    assert verify(TEXTS[0]).owner.startswith("customer-")
    measure("verify", verify, TEXTS)
    measure("verify and read the owner", lambda text: verify(text).owner, TEXTS)
    measure("verify with a scope", lambda text: verify(text, scopes=("orders:read",)), TEXTS)
    bad = [text[:-10] + ("b" if text[-10] == "a" else "a") + text[-9:] for text in TEXTS[:1000]]
    assert check(bad[0]).code == "malformed_api_key"
    measure("bad checksum", check, bad)
    keys.close()


def dictionary() -> None:
    before, start = resident(), perf_counter_ns()
    sha256 = hashlib.sha256
    owners = {sha256(text.encode()).digest(): f"customer-{n:07}" for n, text in enumerate(TEXTS)}
    row("open", perf_counter_ns() - start)
    row("bytes", (resident() - before) / len(TEXTS))

    def verify(text: str) -> str:
        return owners[sha256(text.encode()).digest()]

    measure("verify", verify, TEXTS)


def drf() -> None:
    import django
    from django.conf import settings

    database = FOLDER / "drf.sqlite"
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "rest_framework", "rest_framework_api_key"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}},
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command
    from rest_framework_api_key.models import APIKey

    is_new = not database.exists()
    if is_new:
        call_command("migrate", verbosity=0)
        batch, texts = [], []
        for n in range(len(TEXTS)):
            key = APIKey(name=f"customer-{n:07}")
            texts.append(APIKey.objects.assign_key(key))
            batch.append(key)
            if len(batch) == 5000:
                APIKey.objects.bulk_create(batch)
                batch.clear()
        APIKey.objects.bulk_create(batch)
        (FOLDER / "drf.txt").write_text("\n".join(texts[:100_000]))
    texts = (FOLDER / "drf.txt").read_text().split("\n")
    is_valid = APIKey.objects.is_valid
    assert is_valid(texts[0])
    assert not is_valid(texts[0][:-1] + ("a" if texts[0][-1] != "a" else "b"))
    measure("verify", is_valid, texts, together=5000)


{"gatekey": gatekey, "dict": dictionary, "drf": drf}[sys.argv[1]]()
