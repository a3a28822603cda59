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


def test_a_form_of_another_site_logs_in_where_it_is_expected_alone(play):
    async def scene(inside):
        inside.host.pipeline._may_post = lambda request: request.action == "login"
        headers = [
            ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site"), ("origin", "https://idp.example"),
        ]  # fmt: skip
        form = "username=ann&password=password"
        status, _, body = await http(inside, "POST", "/_login/local", form, headers=headers)
        assert (status, body["result"]["_id"]) == (200, "ann")
        status, _, body = await http(inside, "POST", "/_logout", form, headers=headers)
        assert (status, body["error"]["id"]) == (401, "api.process.unauthorized_origin")

    play(with_ann(scene))
