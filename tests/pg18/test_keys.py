"""Keys: fetched once for the cluster, rotated without a restart, and an issuer that is silent."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import ROUNDS, SENTENCE, Client, Cluster, Issuer, wait_for

REFUSAL = SENTENCE.format("app_a")


def locks(cluster: Cluster) -> list[Path]:
    """Give the lock files of the kept keys."""
    return list((cluster.data / "gatekey_keys").glob("*.lock"))


def test_once_for_fifty(cluster: Cluster, issuer: Issuer) -> None:
    """Fifty log-ins at once, and no key is kept: one question (row C12)."""
    tokens = [issuer.token() for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(cluster.log_in, tokens)) == {""}
    assert issuer.fetches() == 1


def test_unknown_keys(cluster: Cluster, issuer: Issuer) -> None:
    """Many tokens of keys that nobody has ask once, and good ones go on."""
    assert cluster.log_in(issuer.token()) == ""
    cluster.let_pause_end()
    forged = [issuer.token(head={"kid": os.urandom(8).hex()}) for _ in range(100 * ROUNDS)]
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(cluster.log_in, forged)) == {REFUSAL}
    assert cluster.log_in(issuer.token()) == ""
    assert issuer.fetches() == 2


def test_rotation(cluster: Cluster, issuer: Issuer) -> None:
    """A token of a new key makes it be fetched; those of the old key are out then."""
    old = issuer.token()
    assert cluster.log_in(old) == ""
    issuer.rotate("two")
    new = issuer.token()
    assert cluster.log_in(new) == REFUSAL  # within the pause
    cluster.let_pause_end()
    assert cluster.log_in(new) == ""
    assert cluster.log_in(old) == REFUSAL
    assert issuer.fetches() == 2


def test_old_keys_are_fetched_again(cluster: Cluster, issuer: Issuer) -> None:
    """After keys_ttl they are asked for again, and nobody waits for the answer."""
    cluster.policies(cluster.policy(issuer, keys_ttl=60))
    assert cluster.log_in(issuer.token()) == ""
    kept = next((cluster.data / "gatekey_keys").glob("*.jwks"))
    kept.write_text(kept.read_text().replace('"fetched":', '"fetched":-', 1))
    assert '"fetched":-' in kept.read_text()
    cluster.let_pause_end()
    # Of before 1970: too old to be used at all.
    assert cluster.log_in(issuer.token()) == ""
    assert issuer.fetches() == 2
    now = int(time.time())
    kept.write_text(
        kept.read_text().replace(f'"fetched":{now // 10}', f'"fetched":{now // 10 - 7}')
    )
    cluster.let_pause_end()
    issuer.silent.set()
    assert cluster.log_in(issuer.token()) == ""
    wait_for("a fetch", lambda: issuer.fetches() == 3)
    issuer.silent.clear()


def test_a_damaged_file(cluster: Cluster, issuer: Issuer) -> None:
    """What cannot be read is fetched again; what others may write is not believed."""
    assert cluster.log_in(issuer.token()) == ""
    kept = next((cluster.data / "gatekey_keys").glob("*.jwks"))
    for text in ("", "{", '{"keys":[]}', kept.read_text()[:-3]):
        kept.write_text(text)
        cluster.let_pause_end()
        assert cluster.log_in(issuer.token()) == "", text
    kept.chmod(0o666)
    assert cluster.log_in(issuer.token()) == REFUSAL
    kept.unlink()


def test_silence(cluster: Cluster, issuer: Issuer) -> None:
    """While the issuer hangs known keys go on, log-ins end, and the server stops at once."""
    assert cluster.log_in(issuer.token()) == ""
    cluster.let_pause_end()
    issuer.silent.set()
    unknown = issuer.token(head={"kid": "unknown"})
    assert cluster.log_in(unknown) == REFUSAL
    assert "does not answer" in cluster.logged()
    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(cluster.log_in, [issuer.token() for _ in range(50)])) == {""}
    assert issuer.fetches() == 2

    # Without keys: authentication_timeout ends the wait.
    issuer.silent.clear()
    other = Issuer()
    other.silent.set()
    cluster.policies(cluster.policy(other))
    cluster.hba(cluster.line(other.url))
    cluster.stop()
    cluster.start(authentication_timeout=1)
    # Then the server hangs up, and tells its log alone; the wait has not come to its own end.
    before = len(cluster.logged())
    assert cluster.log_in(other.token()) == "the connection ended"
    assert "canceling authentication due to timeout" in cluster.logged()[before:]
    assert "gatekey: no log-in" not in cluster.logged()[before:]

    # And a stop ends it: the issuer is still silent when the server is gone.
    cluster.stop()
    cluster.forget()
    cluster.start()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(cluster.log_in, other.token()) for _ in range(20)]
        wait_for("a question", lambda: other.fetches() >= 2)
        begun, before = time.monotonic(), len(cluster.logged())
        cluster.stop()
        print(f"stopped in {time.monotonic() - begun:.2f} s")
        assert other.silent.is_set()
        assert "gatekey: no log-in" not in cluster.logged()[before:]
        errors = {one.result() for one in waiting}
    assert "" not in errors
    assert REFUSAL not in errors, errors
    cluster.start()
    other.silent.clear()
    other.stop()


def test_an_issuer_that_is_away(cluster: Cluster, issuer: Issuer) -> None:
    """The log says why there are no keys, and the pause between two questions grows."""
    cluster.policies(cluster.policy(issuer, jwks_url=issuer.url + "/nowhere"))
    for _ in range(5):
        assert cluster.log_in(issuer.token()) == REFUSAL
    assert 1 <= issuer.asked.count("/nowhere") <= 3
    assert "there are no keys of" in cluster.logged()


def test_a_file_of_keys(cluster: Cluster, issuer: Issuer) -> None:
    """Keys of a file: no question at all; a secret in it, or a file of others, is refused."""
    path = cluster.write("keys.json", issuer.answer("/jwks").decode())
    policy = cluster.policy(issuer, jwks_url=None, jwks_file="keys.json")
    cluster.policies(policy)
    assert cluster.log_in(issuer.token()) == ""
    assert issuer.asked == []
    secret = '{"keys":[{"kty":"oct","alg":"HS256","kid":"one","k":"' + "A" * 43 + '"}]}'
    cluster.write("keys.json", secret)
    assert cluster.log_in(issuer.token()) == REFUSAL
    cluster.write("keys.json", issuer.answer("/jwks").decode(), 0o666)
    assert cluster.log_in(issuer.token()) == REFUSAL
    path.unlink()
    os.mkfifo(path)
    assert cluster.log_in(issuer.token()) == REFUSAL
    path.unlink()
    cluster.write("keys.json", issuer.answer("/jwks").decode())
    assert cluster.log_in(issuer.token()) == ""


def test_metadata(cluster: Cluster, issuer: Issuer) -> None:
    """The issuer's metadata lead to its keys."""
    cluster.policies(cluster.policy(issuer, jwks_url=None))
    assert cluster.log_in(issuer.token()) == ""
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]


def shape(cluster: Cluster, issuer: Issuer) -> tuple[int, int]:
    """Give a backend's open files and memory, in KiB, while it is logged in."""
    client = Client(cluster.port, "app_a", issuer.token())
    assert client.error == ""
    pid = client.ask("SELECT pg_backend_pid()")
    files = len(os.listdir(f"/proc/{pid}/fd"))
    status = Path(f"/proc/{pid}/status").read_text()
    client.close()
    return files, int(status.split("VmRSS:")[1].split()[0])


def test_the_first_and_the_last(cluster: Cluster, issuer: Issuer) -> None:
    """After many log-ins a backend has what the first one had, and nothing is left behind."""
    shape(cluster, issuer)
    first = shape(cluster, issuer)
    postmaster = len(os.listdir(f"/proc/{cluster.postmaster()}/fd"))
    for _ in range(100 * ROUNDS):
        assert cluster.log_in(issuer.token()) == ""
    last = shape(cluster, issuer)
    assert last[0] == first[0]
    assert last[1] <= first[1] * 1.2 + 1024, (first, last)
    wait_for(
        "the backends",
        lambda: (
            cluster.admin("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app_a'") == "0"
        ),
    )
    assert len(os.listdir(f"/proc/{cluster.postmaster()}/fd")) == postmaster
    assert len(locks(cluster)) == 1
    assert len(list((cluster.data / "gatekey_keys").iterdir())) == 2
