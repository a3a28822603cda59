from __future__ import annotations

import hashlib
import re

INVALID = "security.token.invalid"


def test_a_key_is_shown_once_and_kept_as_its_fingerprint(play, tmp_path):
    async def scene(inside):
        ann = await inside.user("ann", "admin")
        made = await inside.result("auth:createApiKey", {"description": "build"}, token=ann)
        source = dict(made["_source"])
        text = source.pop("token")
        assert text.startswith("kapikey-")
        assert source == {
            "userId": "ann",
            "description": "build",
            "expiresAt": -1,
            "ttl": -1,
            "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
            "_kuzzle_info": {"author": "ann", "createdAt": inside.clock.now, "updatedAt": None, "updater": None},
        }
        assert re.fullmatch(r"[0-9a-f-]{36}", made["_id"])
        found = await inside.result("auth:searchApiKeys", token=ann)
        assert found["total"] == 1
        assert "token" not in found["hits"][0]["_source"]
        assert "_kuzzle_info" not in found["hits"][0]["_source"]
        assert (await inside.result("auth:getCurrentUser", token=text))["_id"] == "ann"
        return text

    text = play(scene)
    files = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert any(hashlib.sha256(text.encode()).hexdigest().encode() in file.read_bytes() for file in files)
    assert not any(part.encode() in file.read_bytes() for file in files for part in (text, text.split(".")[2]))


def test_a_key_ends_when_deleted_or_expired_and_not_with_a_logout(play):
    async def scene(inside):
        ann = await inside.user("ann", "admin")
        keys = {}
        for name, ttl in (("short", "1s"), ("long", -1), ("other", None)):
            made = await inside.result(
                "auth:createApiKey", {"description": name}, token=ann, _id=name, **({"expiresIn": ttl} if ttl else {})
            )
            keys[name] = made["_source"]["token"]
            assert await inside.error("auth:getCurrentUser", token=keys[name]) is None
        await inside.result("auth:logout", token=keys["long"])
        await inside.result("auth:logout", token=keys["long"], **{"global": True})
        await inside.result("security:revokeTokens", _id="ann")
        inside.clock.now += 999
        assert await inside.error("auth:getCurrentUser", token=keys["short"]) is None
        inside.clock.now += 1
        assert await inside.error("auth:getCurrentUser", token=keys["short"]) == INVALID
        await inside.result("security:deleteApiKey", userId="ann", _id="other")
        assert await inside.error("auth:getCurrentUser", token=keys["other"]) == INVALID
        assert await inside.error("auth:getCurrentUser", token=keys["long"]) is None
        await inside.result("auth:deleteApiKey", _id="long", token=keys["long"])
        assert await inside.error("auth:getCurrentUser", token=keys["long"]) == INVALID

    play(scene)


def test_twins_of_one_millisecond_differ(play):
    async def scene(inside):
        ann = await inside.user("ann", "admin")
        one, two = [await inside.result("auth:createApiKey", {"description": ""}, token=ann) for _ in range(2)]
        assert one["_source"]["token"] != two["_source"]["token"]
        await inside.result("auth:deleteApiKey", _id=one["_id"], token=ann)
        assert await inside.error("auth:getCurrentUser", token=one["_source"]["token"]) == INVALID
        assert await inside.error("auth:getCurrentUser", token=two["_source"]["token"]) is None

    play(scene)


def test_more_than_ten_keys_all_work(play):
    async def scene(inside):
        ann = await inside.user("ann", "admin")
        texts = [
            (await inside.result("auth:createApiKey", {"description": ""}, token=ann))["_source"]["token"]
            for _ in range(25)
        ]
        for text in texts:
            assert await inside.error("auth:getCurrentUser", token=text) is None
        found = await inside.result("auth:searchApiKeys", token=ann)
        assert (len(found["hits"]), found["total"]) == (10, 25)

    play(scene)


def test_whose_keys_one_can_make_find_and_end(play):
    async def scene(inside):
        await inside.restrict()
        root, ann, ben = await inside.user("root", "admin"), await inside.user("ann"), await inside.user("ben")
        for body in ({"description": "", "userId": "root"}, {"description": ""}):
            assert await inside.error("auth:createApiKey", body) == "security.rights.unauthorized"
        for action in ("createApiKey", "searchApiKeys", "deleteApiKey"):
            assert (
                await inside.error(f"security:{action}", {"description": ""}, userId="root", _id="x", token=ann)
                == "security.rights.forbidden"
            )
        made = await inside.result(
            "security:createApiKey", {"description": "", "userId": "root"}, userId="ann", _id="k", token=root
        )
        assert made["_source"]["userId"] == "ann"
        assert made["_source"]["_kuzzle_info"]["author"] == "root"
        key = made["_source"]["token"]
        assert (await inside.result("auth:getCurrentUser", token=key))["_id"] == "ann"
        assert await inside.error("server:now", token=key) == "security.rights.forbidden"
        assert (
            await inside.error("security:createApiKey", {"description": ""}, userId="nobody", token=root)
            == "security.user.not_found"
        )
        assert (
            await inside.error("security:createApiKey", {"description": ""}, userId="ben", _id="k", token=root)
            == "services.storage.document_already_exists"
        )
        for user in ("ben", "root"):
            response = await inside.ask("security:deleteApiKey", userId=user, _id="k", token=root)
            assert (response.error.id, response.error.text) == (
                "services.storage.not_found",
                f'ApiKey "k" not found for user "{user}".',
            )
            assert (await inside.result("security:searchApiKeys", {"match_all": {}}, userId=user, token=root))[
                "total"
            ] == 0
        assert (
            await inside.error("security:deleteApiKey", userId="ann", _id="gone", token=root)
            == "services.storage.not_found"
        )
        assert ben
        everything = await inside.result(
            "security:searchApiKeys", {"bool": {"should": [{"match_all": {}}]}}, userId="ben", token=root
        )
        assert everything["total"] == 0

    play(scene)


def test_lifetimes_of_keys(play):
    async def scene(inside):
        ann = await inside.user("ann", "admin")
        for expires_in, expected in [
            ("1h", None),
            ("2h", "security.token.ttl_exceeded"),
            (-1, "security.token.ttl_exceeded"),
            ("x", "api.assert.invalid_argument"),
        ]:
            assert (
                await inside.error("auth:createApiKey", {"description": ""}, token=ann, expiresIn=expires_in)
                == expected
            )
        assert await inside.error("auth:createApiKey", {"description": ""}, token=ann) == "security.token.ttl_exceeded"
        for body, error in [
            (None, "api.assert.body_required"),
            ({}, "api.assert.missing_argument"),
            ({"description": 1}, "api.assert.invalid_type"),
        ]:
            assert await inside.error("auth:createApiKey", body, token=ann) == error

    play(scene, security={"api_key_max_ttl": "1h"})


def test_a_socket_that_came_with_a_key_logs_in_to_a_fresh_token(play):
    from visado.request import Connection

    async def scene(inside):
        login = {"username": "ann", "password": "password"}
        await inside.result(
            "security:createUser", {"content": {"profileIds": ["admin"]}, "credentials": {"local": login}}, _id="ann"
        )
        key = (await inside.result("auth:createApiKey", {"description": ""}, token=await inside.token("ann")))[
            "_source"
        ]["token"]
        socket = Connection("websocket")
        await inside.result("auth:getCurrentUser", token=key, connection=socket)
        issued = await inside.result("auth:login", login, token=key, connection=socket)
        assert issued["jwt"] != key
        assert issued["jwt"].startswith("kauth-")
        assert issued["ttl"] == 3_600_000

    play(scene)
