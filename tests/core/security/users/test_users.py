from __future__ import annotations

import asyncio

import pytest

TYPE, MISSING, FORBIDDEN = "api.assert.invalid_type", "api.assert.missing_argument", "api.assert.forbidden_argument"


def content(*profiles, **others):
    return {"content": {"profileIds": list(profiles or ["default"]), **others}}


BAD = [
    (None, "api.assert.body_required", []),
    ({}, MISSING, ["body.content"]),
    ({"content": None}, TYPE, None),
    ({"content": []}, TYPE, ["body.content", "object"]),
    ({"content": {}}, MISSING, ["body.content.profileIds"]),
    ({"content": {"profileIds": None}}, MISSING, ["body.content.profileIds"]),
    ({"content": {"profileIds": "default"}}, TYPE, None),
    ({"content": {"profileIds": {"default": 1}}}, TYPE, None),
    ({"content": {"profileIds": [1]}}, TYPE, None),
    ({"content": {"profileIds": [["default"]]}}, TYPE, None),
    ({"content": {"profileIds": []}}, "security.user.no_profile", None),
    ({"content": {"profileIds": ["gone"]}}, "security.profile.not_found", ["gone"]),
    ({**content(), "credentials": []}, TYPE, ["body.credentials", "object"]),
    ({**content(), "credentials": {"gone": {}}}, "security.credentials.unknown_strategy", ["gone"]),
]


def test_a_bad_user_gets_the_error_that_the_contract_names(play):
    async def scene(inside):
        for body, expected, props in BAD:
            response = await inside.ask("security:createUser", body, _id="u")
            assert response.error is not None, body
            assert response.error.id == expected, body
            if props is not None:
                assert response.error.props == props, body
        assert await inside.rows("users") == {}

    play(scene)


def test_reserved_ids_are_refused(play):
    async def scene(inside):
        assert (
            await inside.error("security:createUser", content(), _id="-1") == "security.user.anonymous_profile_required"
        )
        assert (
            await inside.error("security:createUser", content("anonymous"), _id="-1") == "security.user.already_exists"
        )
        assert (
            await inside.error("security:createUser", content("anonymous"), _id="anonymous")
            == "security.user.already_exists"
        )
        for reserved in ("-1", "anonymous"):
            assert (await inside.result("security:getUser", _id=reserved))["_id"] == "-1"
            for action, body in [
                ("updateUser", {"a": 1}),
                ("replaceUser", {"profileIds": ["anonymous"]}),
                ("replaceUser", {"profileIds": ["admin"]}),
                ("upsertUser", content()),
                ("deleteUser", None),
            ]:
                response = await inside.ask(f"security:{action}", body, _id=reserved)
                assert response.status in (400, 404, 412), (action, reserved, response)
        assert await inside.rows("users") == {}
        assert await inside.result("security:mGetUsers", {"ids": ["-1"]}) == {"hits": []}

    play(scene)


def test_the_same_id_twice_is_refused_even_at_the_same_time(play):
    async def scene(inside):
        answers = await asyncio.gather(
            *(inside.ask("security:createUser", content(number=n), _id="u") for n in range(50))
        )
        assert sorted(each.status for each in answers) == [200] + [412] * 49

    play(scene)


def test_custom_content_merges_and_the_note_is_ours(play):
    async def scene(inside):
        root = await inside.user("root", "admin")
        body = {
            "content": {
                "profileIds": ["default"],
                "name": "Ann",
                "deep": {"a": 1},
                "_kuzzle_info": {"author": "me"},
                "_id": "other",
            }
        }
        made = await inside.result("security:createUser", body, _id="ann", token=root)
        assert made["_id"] == "ann"
        assert made["_source"]["_kuzzle_info"]["createdAt"] == inside.clock.now
        assert "_id" not in made["_source"]
        inside.clock.now += 5
        updated = await inside.result(
            "security:updateUser", {"deep": {"b": 2}, "profileIds": None}, _id="ann", token=root
        )
        assert updated["_source"]["name"] == "Ann"
        assert updated["_source"]["profileIds"] == ["default"]
        assert updated["_source"]["_kuzzle_info"]["updater"] == "root"
        assert updated["_source"]["_kuzzle_info"]["updatedAt"] == inside.clock.now
        replaced = await inside.result(
            "security:replaceUser", {"profileIds": ["default"], "x": 1}, _id="ann", token=root
        )
        assert "name" not in replaced["_source"]
        assert await inside.error("security:replaceUser", {"x": 1}, _id="ann", token=root) == MISSING
        for action, change in [("updateUser", {"a": 1}), ("replaceUser", {"profileIds": ["default"]})]:
            assert await inside.error(f"security:{action}", change, _id="gone", token=root) == "security.user.not_found"

    play(scene)


def test_updates_at_once_lose_no_field(play):
    async def scene(inside):
        await inside.user("ann")
        await asyncio.gather(*(inside.result("security:updateUser", {f"f{n}": n}, _id="ann") for n in range(50)))
        assert {f"f{n}" for n in range(50)} <= set((await inside.host.security.users.find("ann")).content)

    play(scene)


def test_upsert_makes_or_changes(play):
    async def scene(inside):
        made = await inside.result("security:upsertUser", {**content(a=1), "default": {"a": 0, "b": 0}}, _id="u")
        assert (made["_source"]["a"], made["_source"]["b"]) == (1, 0)
        changed = await inside.result("security:upsertUser", {**content(a=2), "default": {"b": 9}}, _id="u")
        assert (changed["_source"]["a"], changed["_source"]["b"]) == (2, 0)
        assert await inside.error("security:upsertUser", {"content": {}}, _id="u") == MISSING

    play(scene)


def test_restricted_users_get_the_profiles_of_the_settings(play):
    async def scene(inside):
        made = await inside.result("security:createRestrictedUser")
        assert made["_source"]["profileIds"] == ["anonymous"]
        for action in ("createRestrictedUser", "createFirstAdmin"):
            for profiles in (["admin"], [], "x"):
                assert await inside.error(f"security:{action}", {"content": {"profileIds": profiles}}) == FORBIDDEN

    play(scene, security={"restricted_profile_ids": ["anonymous"]})


@pytest.mark.parametrize(
    "body", [{"profileIds": ["admin"]}, {"profileIds": "admin"}, {"_id": "root"}, {"profileIds": {"admin": 1}}]
)
def test_nobody_promotes_himself(play, body):
    async def scene(inside):
        await inside.restrict()
        ann = await inside.user("ann", "default")
        assert await inside.error("auth:updateSelf", body, token=ann) == FORBIDDEN
        changed = await inside.result(
            "auth:updateSelf", {"name": "Ann", "profileIds": None, "_kuzzle_info": 1}, token=ann
        )
        assert changed["_source"]["profileIds"] == ["default"]
        assert isinstance(changed["_source"]["_kuzzle_info"], dict)
        assert await inside.error("auth:updateSelf", {"a": 1}) == "security.rights.unauthorized"

    play(scene)


def test_get_many_skips_who_is_not_there(play):
    async def scene(inside):
        await inside.user("a")
        await inside.user("b")
        for how in ({"body": {"ids": ["a", "gone", "b"]}}, {"ids": "a,gone,b"}, {"ids": ["a", "gone", "b"]}):
            body = how.pop("body", None)
            assert [hit["_id"] for hit in (await inside.result("security:mGetUsers", body, **how))["hits"]] == [
                "a",
                "b",
            ]
        for how in ({"body": {"ids": []}}, {"body": {}}, {}):
            assert await inside.error("security:mGetUsers", how.get("body")) == MISSING

    play(scene)


def test_a_deleted_user_is_gone_with_all_that_it_had(play):
    async def scene(inside):
        await inside.result(
            "security:createUser",
            {**content(), "credentials": {"local": {"username": "ann", "password": "password"}}},
            _id="ann",
        )
        token = await inside.token("ann")
        key = (await inside.result("auth:createApiKey", {"description": ""}, token=token))["_source"]["token"]
        assert await inside.error("auth:getCurrentUser", token=key) is None
        await inside.result("security:deleteUser", _id="ann")
        for each in (token, key):
            assert await inside.error("auth:getCurrentUser", token=each) == "security.token.invalid"
        for collection in ("users", "tokens", "api-keys", "credentials-local"):
            assert await inside.rows(collection) == {}, collection
        assert await inside.error("security:deleteUser", _id="ann") == "security.user.not_found"
        await inside.user("ann", "admin")
        for each in (token, key):
            assert await inside.error("auth:getCurrentUser", token=each) == "security.token.invalid"

    play(scene)


def test_a_user_who_asks_all_the_time_is_gone_once_deleted(play):
    """Between the change and its commit others still read what was: that must not be remembered."""

    async def scene(inside):
        for kind in ("token", "key"):
            name = f"ann-{kind}"
            text = await inside.user(name)
            if kind == "key":
                text = (await inside.result("auth:createApiKey", {"description": ""}, token=text))["_source"]["token"]
            done = asyncio.Event()

            async def ask(text=text, done=done):
                while not done.is_set():
                    await inside.ask("auth:getCurrentUser", token=text)
                    await asyncio.sleep(0)

            asking = [asyncio.create_task(ask()) for _ in range(5)]
            await asyncio.sleep(0)
            await inside.result("security:deleteUser", _id=name)
            done.set()
            await asyncio.gather(*asking)
            assert await inside.error("auth:getCurrentUser", token=text) == "security.token.invalid", kind

    play(scene)


def test_searching_users_shows_pages(play):
    async def scene(inside):
        for number in range(12):
            await inside.user(f"u{number:02}", *(["admin"] if number % 3 == 0 else ["default"]))
        found = await inside.result(
            "security:searchUsers", {"query": {"term": {"profileIds": "admin"}}, "sort": ["_id"]}, size=3
        )
        assert found["total"] == 4
        assert [hit["_id"] for hit in found["hits"]] == ["u00", "u03", "u06"]
        assert await inside.error("security:searchUsers", {}, size=10_001) == "services.storage.get_limit_exceeded"
        page = await inside.result("security:searchUsers", {"sort": ["_id"]}, size=5, scroll="10s")
        seen = [hit["_id"] for hit in page["hits"]]
        while page["hits"] and len(seen) < 12:
            page = await inside.result("security:scrollUsers", scrollId=page["scrollId"])
            seen += [hit["_id"] for hit in page["hits"]]
        assert seen == [f"u{number:02}" for number in range(12)]
        assert (
            await inside.error("security:scrollUsers", scrollId=page["scrollId"])
            == "services.storage.unknown_scroll_id"
        )

    play(scene)


def test_a_cursor_ends_after_its_time(play):
    async def scene(inside):
        for number in range(3):
            await inside.user(f"u{number}")
        page = await inside.result("security:searchUsers", {}, size=1, scroll="10s")
        inside.clock.now += 10_000
        assert (
            await inside.error("security:scrollUsers", scrollId=page["scrollId"])
            == "services.storage.unknown_scroll_id"
        )

    play(scene)
