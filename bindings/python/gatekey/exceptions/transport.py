"""7000s: another server was asked, and how that went."""

from __future__ import annotations

from gatekey.exceptions.base import GatekeyError


class TransportError(GatekeyError):
    """Another server could not be asked, or did not answer as it must."""

    status = 503
    _answers_as = 7000


class ConnectionFailedError(TransportError):
    """The name does not resolve, nothing listens there, or the connection broke."""

    number = 7000
    code = "connection_failed"
    kind = "ConnectionFailed"
    status = 503
    retryable = True


class DeadlineExceededError(TransportError):
    """The whole answer was not there within the deadline (10 seconds unless set)."""

    number = 7001
    code = "deadline_exceeded"
    kind = "DeadlineExceeded"
    status = 503
    retryable = True


class TlsError(TransportError):
    """The other server's certificate is not acceptable.

    TLS could not be agreed on: the certificate is unknown, expired or for another name, or the
    version is too old.
    """

    number = 7002
    code = "tls_failed"
    kind = "TlsFailed"
    status = 503


class RequestBlockedError(TransportError):
    """The address may not be asked.

    The URL is not HTTPS, names an address that the policy keeps out, or the answer was a
    redirect.
    """

    number = 7003
    code = "request_blocked"
    kind = "RequestBlocked"
    status = 500


class ResponseTooLargeError(TransportError):
    """The answer is too large.

    The answer's body or head is longer than what the operation takes (1 MiB, key sets and
    metadata 512 KiB).
    """

    number = 7004
    code = "response_too_large"
    kind = "ResponseTooLarge"
    status = 503
