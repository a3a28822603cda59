from __future__ import annotations

import gc
import weakref

import pytest

from visado.request import Connection, Request, RequestHead, read_cookies


def request(**head):
    return Request("1", "auth", "login", {}, connection=Connection(head=RequestHead(**head)))


def test_what_was_sent_is_seen_as_it_was_sent():
    made = request(
        method="GET",
        path=b"/_login/a%2Fb",
        query_string=b"b=%C3%A9&a=+&a=2&action=x&jwt=&\xff",
        client=["192.0.2.7", 4711],
    )
    assert (made.method, made.target) == ("GET", "/_login/a%2Fb?b=%C3%A9&a=+&a=2&action=x&jwt=&\xff")
    assert made.query == {"b": "é", "a": " ", "action": "x", "jwt": "", "\xff": ""}
    assert made.peer == ("192.0.2.7", 4711)
    assert request(path=b"/x").target == "/x"


def test_a_request_of_nothing_has_nothing():
    made = request()
    assert (made.method, made.target, made.query, made.cookies, made.peer, made.raw_body) == ("", "", {}, {}, None, b"")
    assert (made.address, made.trusted, made.headers_of("host"), made.header("host")) == (None, False, (), None)


def test_every_value_of_a_header_is_seen_in_order():
    made = request(headers=[(b"x-user", b"ann"), (b"host", b"a"), (b"x-user", b"\xe9"), (b"x-user", b"")])
    assert made.headers_of("x-user") == ("ann", "é", "")
    assert made.headers_of("X-User") == made.headers_of("é") == ()
    given = Request("1", "auth", "login", {}, connection=Connection(headers={b"x-user": b"ann"}))
    assert given.headers_of("x-user") == ("ann",)


@pytest.mark.parametrize(
    ("values", "cookies"),
    [
        (["a=1; b=2"], {"a": "1", "b": "2"}), (["a=1;b=2", "c=3"], {"a": "1", "b": "2", "c": "3"}), (["a=1; a=2", "a=3"], {"a": "1"}), (['a="1 2"; b'], {"a": "1 2"}), (["a=b=c=="], {"a": "b=c=="}),
        (["{json:[1]}=x; €=y; a=1"], {"{json:[1]}": "x", "€": "y", "a": "1"}), (["a=1, b=2"], {"a": "1, b=2"}), (["=x; ;;"], {"": "x"}), ([""], {}), ([], {}), ([";" * 50_000 + "a=1"], {"a": "1"}),
        (["\xa0__Host-a=1; \x85a=2; a=3;\ta = 4"], {"\xa0__Host-a": "1", "\x85a": "2", "a": "3"}),
    ],
)  # fmt: skip
def test_cookies_that_cannot_be_read_hide_no_others(values, cookies):
    assert read_cookies(values) == cookies
    listed = [(b"cookie", value.encode("latin-1", "replace")) for value in values]
    assert request(headers=listed).cookies.get("a") == cookies.get("a")


def test_a_query_string_of_any_size_is_read_or_empty():
    assert request(query_string=b"&".join([b"a=1"] * 1_000)).query == {"a": "1"}
    assert request(query_string=b"&".join([b"a=1"] * 1_001)).query == {}


def test_a_request_is_freed_without_the_collector():
    gc.disable()
    try:
        made = request(headers=[(b"cookie", b"a=1")], query_string=b"a=1")
        assert made.cookies == made.query == {"a": "1"}
        freed = weakref.ref(made.connection)
        del made
        assert freed() is None
    finally:
        gc.enable()
