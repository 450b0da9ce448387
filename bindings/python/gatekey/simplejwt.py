"""For services of Django REST framework that had djangorestframework-simplejwt before.

::

    from gatekey import simplejwt
    from gatekey.drf import Guard

    auth = Guard.from_env(
        former=simplejwt.former_tokens(until=datetime(2027, 3, 1, tzinfo=timezone.utc)),
        user=simplejwt.user_of,
    )
    urlpatterns = [*simplejwt.urls(auth, "api/token"), *auth.urls(), ...]

Clients go on at the same addresses, with the same JSON. The tokens are those of gatekey's sessions;
access tokens that simplejwt has made are taken until the date. simplejwt itself is not needed.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import update_last_login
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.urls import path as url_path
from django.views.decorators.debug import sensitive_post_parameters
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.response import Response
from rest_framework.views import APIView

from gatekey._core import Key, _Request
from gatekey.drf import Caller
from gatekey.exceptions import (
    ConfigurationError,
    SessionEndedError,
    SessionError,
    SessionExpiredError,
    StoreError,
    TokenReuseError,
)
from gatekey.guard.answer import NO_STORE
from gatekey.guard.base import tokens_of
from gatekey.guard.former import FormerTokens
from gatekey.guard.hooks import check_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django.urls import URLPattern
    from rest_framework.request import Request

    from gatekey._core import Access, Sessions, SessionTokens, _Moment
    from gatekey.drf import Guard

    _Scopes = Callable[[Any], Iterable[str]]

__all__ = ["former_tokens", "urls", "user_of"]

DEFAULTS: Mapping[str, Any] = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": None,
    "VERIFYING_KEY": "",
    "AUDIENCE": None,
    "ISSUER": None,
    "JWK_URL": None,
    "LEEWAY": 0,
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "user_id",
    "TOKEN_TYPE_CLAIM": "token_type",
    "JTI_CLAIM": "jti",
    "UPDATE_LAST_LOGIN": False,
    "CHECK_REVOKE_TOKEN": False,
    "REVOKE_TOKEN_CLAIM": "hash_password",
}
"""The settings of simplejwt that are read, of ``SIMPLE_JWT``, and what they are unless set."""


def former_tokens(*, until: _Moment, scopes: _Scopes | None = None) -> FormerTokens:
    """Give what a guard takes of simplejwt's tokens: its access tokens of active users.

    By the project's setting ``SIMPLE_JWT``, and ``SECRET_KEY`` where it names no key. A token that
    is on the list of simplejwt's app ``token_blacklist`` is refused, if the project has that app.

    :param until: the date from which on none is taken.
    :param scopes: gives what a user is granted; nothing unless given.
    :raises ConfigurationError: the settings do not tell access tokens from refresh tokens, or the
        keys are fetched from an address.
    """
    if scopes is not None:
        check_function(scopes, "scopes")
    setting = _settings()
    kind = setting["TOKEN_TYPE_CLAIM"]
    if kind is None or setting["JWK_URL"]:
        raise ConfigurationError(
            "Tokens of simplejwt are taken with the key of SIMPLE_JWT and a TOKEN_TYPE_CLAIM, "
            "which tells access tokens from others: this project has none, or a JWK_URL."
        )

    def look_up(subject: str, claims: Mapping[str, Any]) -> Iterable[str] | None:
        user = _active(subject)
        if user is None or _is_revoked(user, claims, setting):
            return None
        return () if scopes is None else scopes(user)

    return FormerTokens(
        _key(setting),
        user_claim=setting["USER_ID_CLAIM"],
        claims={kind: "access"},
        until=until,
        look_up=look_up,
        issuer=setting["ISSUER"],
        audience=setting["AUDIENCE"],
        leeway=setting["LEEWAY"],
    )


def user_of(access: Access) -> Any:
    """Give ``request.user``, for ``Guard(user=...)``.

    It is the user of the project whom a session's or simplejwt's token names, and ``None``, which
    refuses, if that one is gone or not active. The subjects of all sessions are such users.
    Callers with API keys and tokens of other issuers are a :class:`gatekey.drf.Caller`.
    """
    is_own = access.kind == "session" or (access.kind == "jwt" and _is_former(access))
    return _active(access.subject or "") if is_own else Caller(access)


def urls(
    guard: Guard,
    prefix: str = "api/token",
    *,
    scopes: _Scopes | None = None,
    limits: Mapping[str, str] | None = None,
) -> list[URLPattern]:
    """Give the routes of simplejwt.

    They have its names: ``token_obtain_pair``, ``token_refresh``, ``token_verify`` and
    ``token_blacklist``.

    :param prefix: where they are, below the place of this list, which belongs into the
        ``urlpatterns`` of the project itself.
    :param scopes: gives what a user's sessions are granted; nothing unless given.
    :param limits: names and rates of log-ins for each address, such as ``{"log-in": "5/min"}``.
    :raises ConfigurationError: the guard has no sessions.
    """
    if scopes is not None:
        check_function(scopes, "scopes")
    if guard.sessions is None:
        raise ConfigurationError("The routes of tokens need sessions: give the guard an `issuer`.")
    at = prefix.strip("/")
    found = []
    for view, below, name in (
        (_Obtain, "", "token_obtain_pair"),
        (_Refresh, "refresh/", "token_refresh"),
        (_Verify, "verify/", "token_verify"),
        (_Blacklist, "blacklist/", "token_blacklist"),
    ):
        demand = guard.public(limits=limits if view is _Obtain else None)
        members = {"guard": guard, "scopes": scopes and staticmethod(scopes)}
        own: Any = type(view.__name__, (view,), {**members, "permission_classes": [demand]})
        shown = sensitive_post_parameters()(own.as_view())
        found.append(url_path(f"{at}/{below}", shown, name=name))
    return found


class InvalidToken(AuthenticationFailed):
    """Simplejwt's answer for a token that is not good."""

    def __init__(self, detail: str) -> None:
        """Take what is said of it."""
        super().__init__({"detail": detail, "code": "token_not_valid"})


class Unavailable(APIException):
    """The store is out of reach."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The service is out of reach for now."


class _Hidden(dict[str, Any]):
    """Passwords, tokens or keys: pages about errors show variables."""

    def __repr__(self) -> str:
        return "<redacted>"


class _View(APIView, ABC):
    """What the four have in common."""

    authentication_classes = ()
    guard: ClassVar[Guard]
    scopes: ClassVar[Any]
    serializer: ClassVar[type[serializers.Serializer]]
    answered: ClassVar[type[serializers.Serializer] | None] = None

    def get_authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's
        """Say how to authenticate, so that a 401 stays one."""
        return 'Bearer realm="api"'

    def post(self, request: Request) -> Response:
        """Answer. No page about an error shows what clients have sent."""
        given = self._given(request)
        try:
            return Response(self.answer(request, given), headers=dict([NO_STORE]))
        except (TokenReuseError, SessionEndedError) as error:
            raise InvalidToken("Token is blacklisted") from error
        except SessionExpiredError as error:
            raise InvalidToken("Token is expired") from error
        except SessionError as error:
            raise InvalidToken("Token is invalid") from error
        except StoreError as error:
            raise Unavailable from error

    def _given(self, request: Request) -> _Hidden:
        read = self.serializer(data=request.data)
        read.is_valid(raise_exception=True)
        return _Hidden(read.validated_data)

    @abstractmethod
    def answer(self, request: Request, given: Mapping[str, str]) -> dict[str, str]:
        """Do it, with what the request has given."""

    @property
    def sessions(self) -> Sessions:
        sessions = self.guard.sessions
        assert sessions is not None  # noqa: S101 - `urls` has seen to it
        return sessions


class _Credentials(serializers.Serializer):
    password = serializers.CharField(
        write_only=True, style={"input_type": "password"}, trim_whitespace=True
    )

    def get_fields(self) -> Any:
        own = {get_user_model().USERNAME_FIELD: serializers.CharField(write_only=True)}
        return own | super().get_fields()


class _Tokens(serializers.Serializer):
    access = serializers.CharField()
    refresh = serializers.CharField()


class _RefreshToken(serializers.Serializer):
    refresh = serializers.CharField()


class _AnyToken(serializers.Serializer):
    token = serializers.CharField(write_only=True)


class _Obtain(_View):
    """Logs a user in."""

    serializer = _Credentials
    answered = _Tokens

    def answer(self, request: Request, given: Mapping[str, str]) -> dict[str, str]:
        user: Any = authenticate(request=request._request, **given)
        if user is None or not user.is_active:
            raise AuthenticationFailed(
                "No active account found with the given credentials", "no_active_account"
            )
        setting = _settings()
        decision = self.guard._log_in(
            _request(request),
            str(getattr(user, setting["USER_ID_FIELD"])),
            scopes=() if self.scopes is None else self.scopes(user),
            client=request.META.get("HTTP_USER_AGENT"),
        )
        if setting["UPDATE_LAST_LOGIN"]:
            update_last_login(None, user)
        return _pair(tokens_of(decision))


class _Refresh(_View):
    """Exchanges a refresh token, which is good once: the answer always has the next one."""

    serializer = _RefreshToken
    answered = _Tokens

    def answer(self, request: Request, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        tokens = self.sessions.refresh(given["refresh"])
        if _active(tokens.session.subject) is None:
            self.sessions.end(tokens.refresh_token)
            raise AuthenticationFailed(
                "No active account found for the given token.", "no_active_account"
            )
        return _pair(tokens)


class _Verify(_View):
    """Says whether an access token is good, as the guard would."""

    serializer = _AnyToken

    def answer(self, request: Request, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        demand = self.guard.demand(kinds=["session", "jwt", "opaque"])
        decision = self.guard._decide(_bearer(given["token"]), demand)
        if decision.status >= status.HTTP_500_INTERNAL_SERVER_ERROR:
            raise Unavailable
        access = decision.access
        if access is None or not self.guard.user_of(access):
            raise InvalidToken("Token is invalid")
        return {}


class _Blacklist(_View):
    """Logs out: ends the session of a refresh token."""

    serializer = _RefreshToken

    def answer(self, request: Request, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        if not self.sessions.end(given["refresh"]):
            raise InvalidToken("Token is blacklisted")
        return {}


def _pair(tokens: SessionTokens) -> dict[str, str]:
    return {"refresh": tokens.refresh_token, "access": tokens.access_token}


def _request(request: Request) -> _Request:
    from gatekey.django import request_of

    return request_of(request._request)


def _bearer(token: str) -> _Request:
    headers = [(b"authorization", b"Bearer " + token.encode())]
    return _Request.of_asgi({"method": "GET", "path": "/", "headers": headers})


def _settings() -> _Hidden:
    return _Hidden({**DEFAULTS, **(getattr(settings, "SIMPLE_JWT", None) or {})})


def _key(setting: Mapping[str, Any]) -> Key:
    alg = setting["ALGORITHM"]
    if alg.startswith("HS"):
        return Key.from_secret(setting["SIGNING_KEY"] or settings.SECRET_KEY, alg)
    return Key.from_pem(setting["VERIFYING_KEY"], alg)


def _active(subject: str) -> Any:
    """Give the active user of this name, as tokens have it; None for another, or none."""
    field = _settings()["USER_ID_FIELD"]
    try:
        user: Any = get_user_model()._default_manager.get(**{field: subject})
    except (ObjectDoesNotExist, ValueError, TypeError, OverflowError, ValidationError):
        return None
    # No other spelling of a number names a user.
    return user if user.is_active and str(getattr(user, field)) == subject else None


def _is_revoked(user: Any, claims: Mapping[str, Any], setting: Mapping[str, Any]) -> bool:
    """Tell whether simplejwt would refuse the token of an active user."""
    if setting["CHECK_REVOKE_TOKEN"]:
        of_password = hashlib.md5(user.password.encode(), usedforsecurity=False)
        said = str(claims.get(setting["REVOKE_TOKEN_CLAIM"], "")).encode()
        if not hmac.compare_digest(said, of_password.hexdigest().upper().encode()):
            return True
    jti = setting["JTI_CLAIM"] and claims.get(setting["JTI_CLAIM"])
    if apps.is_installed("rest_framework_simplejwt.token_blacklist") and jti:
        listed: Any = apps.get_model("token_blacklist", "BlacklistedToken")
        return bool(listed.objects.filter(token__jti=str(jti)).exists())
    return False


def _is_former(access: Access) -> bool:
    """Tell a token of simplejwt's from that of another issuer, which has another `iss`."""
    setting = _settings()
    claims = access.claims
    is_access = claims.get(setting["TOKEN_TYPE_CLAIM"]) == "access"
    return is_access and claims.get("iss") == setting["ISSUER"]
