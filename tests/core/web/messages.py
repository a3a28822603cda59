"""HTTP requests in bytes."""

from __future__ import annotations

JSON = "application/json"
PARSE, TOO_LARGE = "network.http.body_parse_failed", "network.http.request_too_large"


def head(verb, path, *lines, host="127.0.0.1"):
    return "\r\n".join([f"{verb} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode("latin-1")


def whole(verb, path, body=b"", *lines, host="127.0.0.1"):
    return head(verb, path, f"Content-Length: {len(body)}", "Connection: close", *lines, host=host) + body


def post(body, *lines, path="/_checkToken"):
    return whole("POST", path, body, f"Content-Type: {JSON}", *lines)
