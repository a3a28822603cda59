"""HTTP requests in bytes."""

from __future__ import annotations

import re

JSON = "application/json"
PARSE, TOO_LARGE = "network.http.body_parse_failed", "network.http.request_too_large"


def head(verb, path, *lines, host="127.0.0.1"):
    return "\r\n".join([f"{verb} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode("latin-1")


def whole(verb, path, body=b"", *lines, host="127.0.0.1"):
    return head(verb, path, f"Content-Length: {len(body)}", "Connection: close", *lines, host=host) + body


def post(body, *lines, path="/_checkToken"):
    return whole("POST", path, body, f"Content-Type: {JSON}", *lines)


def read_logins(host, token=None):
    """Return how many logins a host has answered, and how many requests are in flight; this one is one."""
    text = host.request("GET", "/_metrics", token=token).body
    answered = re.findall(r'^visado_requests_total\{action="auth:login",.*\} (\d+)$', text, re.MULTILINE)
    return sum(map(int, answered)), int(re.search(r"^visado_requests_in_flight (\d+)$", text, re.MULTILINE)[1])
