"""The program that fetches keys: what it inherits, how it ends, and whom it believes."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster import SENTENCE, Client, Cluster, Issuer, wait_for
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSAL = SENTENCE.format("app_a")


def kept(cluster: Cluster, kind: str) -> Path:
    """Give the one file of this kind among the kept keys."""
    (path,) = (cluster.data / "gatekey_keys").glob(f"*.{kind}")
    return path


def test_what_it_inherits(cluster: Cluster, issuer: Issuer) -> None:
    """The lock and nothing else: neither the client's connection nor the server's log."""
    issuer.silent.set()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cluster.log_in, issuer.token())
        wait_for("a question", lambda: issuer.fetches() == 1)
        (pid,) = cluster.fetchers()
        files = {int(entry.name): os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        issuer.silent.clear()
        assert waiting.result() == ""
    assert {files[n] for n in range(3)} == {"/dev/null"}
    assert files[3] == str(kept(cluster, "lock"))
    others = [name for n, name in files.items() if n > 3 and not name.startswith("anon_inode:")]
    assert len(others) <= 1, files  # its connection
    assert all(name.startswith("socket:") for name in others), files
    # Nobody is left, as a zombie or otherwise.
    wait_for("its end", lambda: not cluster.fetchers())


def test_killed(cluster: Cluster, issuer: Issuer) -> None:
    """Killed while it holds the lock: the lock is free, and the next log-in after a pause asks."""
    issuer.silent.set()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cluster.log_in, issuer.token())
        wait_for("a question", lambda: issuer.fetches() == 1)
        (pid,) = cluster.fetchers()
        os.kill(pid, signal.SIGKILL)
        issuer.silent.clear()
        assert waiting.result() in {"", REFUSAL}  # the pause is one second, the patience five
    cluster.let_pause_end()
    assert cluster.log_in(issuer.token()) == ""
    assert issuer.fetches() == 2


def test_a_client_that_is_gone(cluster: Cluster, issuer: Issuer) -> None:
    """Nobody waits on for it."""
    issuer.silent.set()
    client = Client(cluster.port, "app_a", issuer.token(), wait=False)
    wait_for("a question", lambda: issuer.fetches() == 1)
    before = len(cluster.logged())
    client.close()
    wait_for("the log-in's end", lambda: "gatekey: no log-in" in cluster.logged()[before:])
    assert "the client is gone" in cluster.logged()[before:]
    issuer.silent.clear()
    wait_for("its end", lambda: not cluster.fetchers())


def test_a_full_disk(cluster: Cluster, issuer: Issuer) -> None:
    """The log says so, the keys that are kept stay, and it is tried again."""
    assert cluster.log_in(issuer.token()) == ""
    path = kept(cluster, "jwks")
    whole = path.read_bytes()
    path.with_name(path.name + ".new").symlink_to("/dev/full")
    cluster.let_pause_end()
    unknown = issuer.token(head={"kid": "unknown"})
    assert cluster.log_in(unknown) == REFUSAL
    assert "No space left on device" in cluster.logged()
    assert path.read_bytes() == whole
    assert cluster.log_in(issuer.token()) == ""
    issuer.rotate("two")
    cluster.let_pause_end()
    assert cluster.log_in(issuer.token()) == ""
    # Nor can it be written where the folder is another's.
    path.parent.chmod(0o500)
    cluster.let_pause_end()
    assert cluster.log_in(unknown) == REFUSAL
    assert cluster.log_in(issuer.token()) == ""
    path.parent.chmod(0o700)
    assert "Permission denied" in cluster.logged()


def test_odd_files(cluster: Cluster, issuer: Issuer) -> None:
    """Times that cannot be, in either file, are those of no fetch."""
    assert cluster.log_in(issuer.token()) == ""
    path, lock = kept(cluster, "jwks"), kept(cluster, "lock")
    rest = path.read_text().split(",", 1)[1]
    limit = 2**63
    for n, fetched in enumerate((-limit, limit - 1, limit, -1, 0), 2):
        path.write_text(f'{{"fetched":{fetched},{rest}')
        lock.write_text(f"{-limit} {limit - 1} {'x' * 5000}" if n % 2 else f"{limit} -{limit} \0")
        assert cluster.log_in(issuer.token()) == "", fetched
        wait_for("a fetch", lambda n=n: issuer.fetches() == n)  # type: ignore[misc]
        written = f'{{"fetched":{fetched},'
        wait_for("its keys", lambda written=written: not path.read_text().startswith(written))  # type: ignore[misc]


def test_withdrawn_while_nobody_came(cluster: Cluster, issuer: Issuer) -> None:
    """The first log-in after a long time waits for the keys of today."""
    old = issuer.token()
    assert cluster.log_in(old) == ""
    issuer.rotate("two")
    path = kept(cluster, "jwks")
    head, rest = path.read_text().split(",", 1)
    path.write_text(f"{head[:-8]}{int(head[-8:]) - 3600_000:08d},{rest}")
    cluster.let_pause_end()
    assert cluster.log_in(old) == REFUSAL
    assert issuer.fetches() == 2
    assert cluster.log_in(issuer.token()) == ""
    assert issuer.fetches() == 2


def test_by_hand(cluster: Cluster, issuer: Issuer, tmp_path: Path) -> None:
    """It prints the keys or why there are none; whatever else is open is left alone."""
    (program,) = cluster.bin.parent.rglob("gatekey_keys")
    own, out = tmp_path / "own", tmp_path / "out"
    own.write_text("precious")
    place = f'{{"url":"{issuer.url}/jwks","allow_loopback_http":true}}'
    with out.open("w") as into:
        script = 'exec 3<> "$0"; exec "$@"'
        words = ["/bin/sh", "-c", script, str(own), str(program), "/dev/stdout", place, ""]
        subprocess.run(words, stdout=into, check=True)  # noqa: S603
    assert own.read_text() == "precious"
    assert '"kid":"one"' in out.read_text()
    wrong = [str(program), "/dev/stdout", place.replace("/jwks", "/x"), ""]
    done = subprocess.run(wrong, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1
    assert done.stderr.startswith("gatekey_keys: ")
    usage = subprocess.run([str(program)], capture_output=True, text=True, check=False)  # noqa: S603
    assert usage.returncode == 2
    assert usage.stderr.startswith("usage: ")


# ---- https ----


def authority(folder: Path, name: str) -> Path:
    """Make an authority of its own and a certificate for localhost; give where they are."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    own = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    host = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    for file, who, public, extension in (
        ("ca.pem", issuer, key, x509.BasicConstraints(ca=True, path_length=0)),
        ("server.pem", subject, own, host),
    ):
        made = (
            x509.CertificateBuilder()
            .subject_name(who)
            .issuer_name(issuer)
            .public_key(public.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(extension, critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / file).write_bytes(made.public_bytes(Encoding.PEM))
    secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.key").write_bytes(secret)
    return folder


@pytest.fixture
def secure(cluster: Cluster, tmp_path: Path) -> Iterator[Issuer]:
    """An issuer on https, and its authority as ca.pem of the data directory."""
    folder = authority(tmp_path / "one", "one")
    cluster.write("ca.pem", (folder / "ca.pem").read_bytes())
    one = Issuer(certificate=folder / "server.pem")
    cluster.forget()
    cluster.hba(cluster.line(one.url))
    cluster.reload()
    yield one
    one.stop()


def test_authorities(cluster: Cluster, secure: Issuer, tmp_path: Path) -> None:
    """Whom ca_file names is believed, and nobody else; keys of one are not those of another."""
    usual = {"allow_loopback_http": None, "jwks_url": None}
    good = cluster.policy(secure, ca_file="ca.pem", **usual)
    cluster.policies(good)
    assert cluster.log_in(secure.token()) == ""
    assert secure.asked == ["/.well-known/openid-configuration", "/jwks"]
    # Keys that were fetched with it are not used without it.
    cluster.policies(cluster.policy(secure, **usual))
    assert cluster.log_in(secure.token()) == REFUSAL
    other = authority(tmp_path / "two", "two") / "ca.pem"
    cluster.write("other.pem", other.read_bytes())
    cluster.write("shared.pem", (cluster.data / "ca.pem").read_bytes(), 0o666)
    cluster.write("nothing.pem", "")
    cluster.write("large.pem", "x" * (1024 * 1024 + 1))
    for file in ("other", "shared", "nothing", "large", "none"):
        before = len(cluster.logged())
        cluster.policies(cluster.policy(secure, ca_file=f"{file}.pem", **usual))
        assert cluster.log_in(secure.token()) == REFUSAL, file
        assert "there are no keys of" in cluster.logged()[before:], file
    for said in ("only its owner may write", "larger than 1 MiB", "No such file"):
        assert said in cluster.logged()
    # A bundle of many, as systems have it.
    comment = "# an authority\n" * 20000
    cluster.write("bundle.pem", comment + (cluster.data / "ca.pem").read_text())
    cluster.policies(cluster.policy(secure, ca_file="bundle.pem", **usual))
    assert cluster.log_in(secure.token()) == ""


def test_metadata_elsewhere(cluster: Cluster, issuer: Issuer) -> None:
    """metadata_url is asked, and must speak of the same issuer."""
    where = {"jwks_url": None, "metadata_url": issuer.url + "/elsewhere"}
    cluster.policies(cluster.policy(issuer, **where))
    assert cluster.log_in(issuer.token()) == ""
    assert issuer.asked == ["/elsewhere", "/jwks"]
    other = Issuer()
    cluster.policies(cluster.policy(issuer, jwks_url=None, metadata_url=other.url + "/elsewhere"))
    assert cluster.log_in(issuer.token()) == REFUSAL
    assert other.asked == ["/elsewhere"]
    other.stop()
