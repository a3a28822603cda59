"""Ask a host in this process over its HTTP end, without a network."""

from __future__ import annotations

import json

LOGIN = {"username": "ann", "password": "password"}


async def http(inside, verb, path, body=None, *, headers=(), scheme="http"):
    """Ask the host; a body that is a string is sent as it is."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {
            "type": "http.request",
            "body": body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else b"",
            "more_body": False,
        }

    raw, _, query = path.partition("?")
    scope = {
        "type": "http", "method": verb, "path": raw, "raw_path": raw.encode(), "query_string": query.encode(), "scheme": scheme,
        "headers": [(b"host", b"auth.example.com"), *((name.encode(), value.encode()) for name, value in headers)], "client": ("10.0.0.1", 5),
    }  # fmt: skip
    await inside.host(scope, receive, send)
    found = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    text = sent[1]["body"]
    return sent[0]["status"], found, json.loads(text) if b"json" in dict(sent[0]["headers"])[b"content-type"] else text


def header(found, name):
    return next((value for key, value in found if key == name), None)


def with_ann(scene):
    async def run(inside):
        body = {"content": {"profileIds": ["admin"]}, "credentials": {"local": LOGIN}}
        await inside.result("security:createUser", body, _id="ann")
        return await scene(inside)

    return run
