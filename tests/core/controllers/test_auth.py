from __future__ import annotations

from .over_http import LOGIN, header, http, with_ann


def test_a_form_of_another_site_is_refused(play):
    async def scene(inside):
        for content in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
            status, found, body = await http(
                inside,
                "POST",
                "/_login/local?cookieAuth",
                LOGIN,
                headers=[("content-type", content), ("sec-fetch-site", "cross-site")],
            )
            assert status in (400, 401)
            assert header(found, "set-cookie") is None
            assert "result" not in body or body["result"] is None
        assert await inside.rows("tokens") == {}

    play(with_ann(scene))


def test_a_form_of_another_site_without_a_step_logs_nobody_in(play):
    """`posts_from` allows answers to a redirect of the same browser: another form would log a victim in as somebody."""

    async def scene(inside):
        inside.host.security.strategies.find("local").posts_from = frozenset({"https://idp.example"})
        headers = [
            ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site"), ("origin", "https://idp.example"),
        ]  # fmt: skip
        for path in ("/_login/local", "/_logout"):
            status, _, body = await http(inside, "POST", path, "username=ann&password=password", headers=headers)
            assert (status, body["error"]["id"]) == (401, "api.process.unauthorized_origin")

    play(with_ann(scene))
