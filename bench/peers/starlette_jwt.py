"""Starlette and PyJWT; with BENCH_CACHE, verified tokens are remembered."""

import functools
import os
import time

import jwt
from answer import me
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

SECRET = os.environ["BENCH_SECRET"]


def decode(text):
    return jwt.decode(text, SECRET, algorithms=["HS256"], audience="fastapi-users:auth")


if os.environ.get("BENCH_CACHE"):
    remembered = functools.lru_cache(100_000)(decode)

    def verify(text):
        claims = remembered(text)
        if claims["exp"] < time.time():
            raise jwt.ExpiredSignatureError
        return claims

else:
    verify = decode


async def show(request):
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    try:
        claims = verify(text) if scheme == "Bearer" else None
    except jwt.InvalidTokenError:
        claims = None
    return JSONResponse(me(claims["sub"])) if claims else JSONResponse({"error": "unauthorized"}, 401)


app = Starlette(routes=[Route("/me", show)])
