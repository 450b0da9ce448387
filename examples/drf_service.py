"""A service of Django REST framework with API keys, log-ins, and tokens of another issuer.

GATEKEY_STORE=auth.sqlite GATEKEY_PUBLIC_URL=https://shop.example gunicorn drf_service:app
"""

import os
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["shop.example"],
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["gatekey.django.GuardMiddleware"],  # a route without a guard stops the start
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
)
django.setup()

from django.urls import path  # noqa: E402 - Django is set up before
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from gatekey import KeySet  # noqa: E402
from gatekey.drf import Guard  # noqa: E402

PARTNER = KeySet.from_jwks(Path(os.environ["PARTNER_JWKS"]).read_text())
USERS = {"alice": "correct horse battery staple"}  # yours have slow hashes

auth = Guard.from_env(
    audience="https://shop.example/api", cookies=True, issuers={"https://partner.example": PARTNER}
)


class Orders(APIView):
    authentication_classes = [auth.authentication]
    permission_classes = [auth.requires("orders:read")]

    def get(self, request: Request) -> Response:
        return Response({"caller": request.auth.subject, "kind": request.auth.kind})


class Cancel(APIView):
    authentication_classes = [auth.authentication]
    permission_classes = [auth.requires("orders:write", kinds=["session"])]

    def delete(self, request: Request, number: int) -> Response:
        return Response({"cancelled": number, "by": request.auth.subject})


class LogIn(APIView):
    authentication_classes = [auth.authentication]
    permission_classes = [auth.public(limits={"log-in": "5/min"}, own_pages=True)]

    def post(self, request: Request) -> Response:
        user: Any = request.data
        if USERS.get(user["name"]) != user["password"]:
            return Response("No such user, or another password.", 401)
        response = Response()
        auth.log_in(request, response, user["name"], scopes=["orders:read", "orders:write"])
        return response


urlpatterns = [
    path("orders", Orders.as_view()),
    path("orders/<int:number>", Cancel.as_view()),
    path("log-in", LogIn.as_view()),
    *auth.urls(),
]
app = get_wsgi_application()
