from __future__ import annotations

import pytest

TYPE, MISSING, UNEXPECTED = "api.assert.invalid_type", "api.assert.missing_argument", "api.assert.unexpected_argument"


def restricted(entry):
    return {"policies": [{"roleId": "default", "restrictedTo": entry}]}


BAD = [
    (None, "api.assert.body_required", []),
    ({}, MISSING, ["body.policies"]),
    ({"policies": None}, MISSING, ["body.policies"]),
    ({"policies": {}}, TYPE, ["body.policies", "array"]),
    ({"policies": "x"}, TYPE, ["body.policies", "array"]),
    ({"policies": [{}]}, MISSING, None),
    ({"policies": ["default"]}, TYPE, None),
    ({"policies": [None]}, TYPE, None),
    ({"policies": [{"roleId": 1}]}, TYPE, None),
    ({"policies": [{"roleId": {}}]}, None, None),
    ({"policies": [{"roleId": ["default"]}]}, TYPE, None),
    ({"policies": [{"roleId": "gone"}]}, "security.role.not_found", ["gone"]),
    ({"policies": [{"roleId": "default", "x": 1}]}, UNEXPECTED, ["p.policies[0].x", '"roleId", "restrictedTo"']),
    (restricted("x"), TYPE, ["p.policies[0].restrictedTo", "object[]"]),
    (restricted({}), TYPE, ["p.policies[0].restrictedTo", "object[]"]),
    (restricted(["i"]), TYPE, ["p.policies[0].restrictedTo[i]", "object"]),
    (restricted([{}]), MISSING, ["p.policies[0].restrictedTo[0].index"]),
    (restricted([{"index": "i", "collections": "c"}]), TYPE, ["p.policies[0].restrictedTo[0].collections", "string[]"]),
    (restricted([{"index": "i", "collections": [1]}]), TYPE, ["p.policies[0].restrictedTo[0].collections", "string[]"]),
    (restricted([{"index": "i", "x": 1}]), UNEXPECTED, ["p.policies[0].restrictedTo[0].x", '"index", "collections"']),
    (restricted([{"index": ["i"]}]), TYPE, None),
    ({"policies": [], "rateLimit": "1"}, TYPE, ["rateLimit", "integer"]),
    ({"policies": [], "rateLimit": 1.5}, TYPE, ["rateLimit", "integer"]),
    ({"policies": [], "rateLimit": True}, TYPE, ["rateLimit", "integer"]),
    ({"policies": [], "rateLimit": float("inf")}, TYPE, ["rateLimit", "integer"]),
    ({"policies": [], "rateLimit": -1}, "api.assert.invalid_argument", ["rateLimit", "positive integer, or zero"]),
]


def test_a_bad_profile_gets_the_error_that_the_contract_names(play):
    async def scene(inside):
        await inside.result("security:createProfile", {"policies": []}, _id="q")
        for action in ("createProfile", "createOrReplaceProfile"):
            for body, expected, props in BAD:
                response = await inside.ask(f"security:{action}", body, _id="p")
                assert response.error is not None, (action, body)
                assert response.status in (400, 404), (action, body, response.error)
                assert expected in (None, response.error.id), (action, body)
                if props is not None:
                    assert response.error.props == props, (action, body)
        assert await inside.error("security:getProfile", _id="p") == "security.profile.not_found"
        assert await inside.error("security:updateProfile", {"policies": []}, _id="p") == "security.profile.not_found"

    play(scene)


def test_no_policy_becomes_the_default_one_and_updates_are_partial(play):
    async def scene(inside):
        made = await inside.result(
            "security:createProfile", {"policies": [], "tags": ["t"], "rateLimit": None}, _id="p"
        )
        assert made["_source"]["policies"] == [{"roleId": "default"}]
        assert made["_source"]["rateLimit"] == 0
        inside.clock.now += 5
        updated = await inside.result("security:updateProfile", {"rateLimit": 7}, _id="p")
        assert updated["_source"]["policies"] == [{"roleId": "default"}]
        assert (updated["_source"]["tags"], updated["_source"]["rateLimit"]) == (["t"], 7)
        note = updated["_source"]["_kuzzle_info"]
        assert (note["createdAt"], note["updatedAt"]) == (inside.clock.now - 5, inside.clock.now)
        assert (
            await inside.error("security:createProfile", {"policies": []}, _id="p")
            == "services.storage.document_already_exists"
        )
        replaced = await inside.result("security:createOrReplaceProfile", {"policies": []}, _id="p")
        assert "tags" not in replaced["_source"]

    play(scene)


def test_two_updates_at_once_lose_no_field(play):
    import asyncio

    async def scene(inside):
        await inside.result("security:createProfile", {"policies": []}, _id="p")
        await asyncio.gather(
            *(inside.result("security:updateProfile", {f"field{number}": number}, _id="p") for number in range(20))
        )
        source = (await inside.result("security:getProfile", _id="p"))["_source"]
        assert {f"field{number}" for number in range(20)} <= set(source)

    play(scene)


def test_the_anonymous_profile_keeps_its_role(play):
    async def scene(inside):
        for action in ("createOrReplaceProfile", "updateProfile"):
            body = {"policies": [{"roleId": "default"}]}
            assert (
                await inside.error(f"security:{action}", body, _id="anonymous")
                == "security.profile.missing_anonymous_role"
            )
        await inside.result(
            "security:updateProfile", {"policies": [{"roleId": "anonymous"}, {"roleId": "default"}]}, _id="anonymous"
        )

    play(scene)


def test_strict_restrictions_name_what_the_settings_declare(play):
    async def scene(inside):
        for entry, expected in [
            ({"index": "shop"}, None),
            ({"index": "shop", "collections": ["cars"]}, None),
            ({"index": "zoo"}, "services.storage.unknown_index"),
            ({"index": "shop", "collections": ["boats"]}, "services.storage.unknown_collection"),
        ]:
            assert (
                await inside.error("security:createOrReplaceProfile", restricted([entry]), _id="p", strict=True)
                == expected
            )
            assert await inside.error("security:createOrReplaceProfile", restricted([entry]), _id="p") is None

    play(scene, rights={"indexes": {"shop": ["cars"]}})


def test_deletion_spares_what_is_needed(play):
    async def scene(inside):
        for profile in ("admin", "default", "anonymous"):
            assert await inside.error("security:deleteProfile", _id=profile) == "security.profile.cannot_delete"
        assert await inside.error("security:deleteProfile", _id="p") == "security.profile.not_found"
        await inside.result("security:createProfile", {"policies": []}, _id="p")
        await inside.user("both", "p", "default")
        await inside.user("only", "p")
        for how in ("fail", "other", "REMOVE"):
            assert (
                await inside.error("security:deleteProfile", _id="p", onAssignedUsers=how) == "security.profile.in_use"
            )
        await inside.result("security:deleteProfile", _id="p", onAssignedUsers="remove")
        assert (await inside.host.security.users.find("both")).profile_ids == ("default",)
        assert (await inside.host.security.users.find("only")).profile_ids == ("anonymous",)
        assert await inside.error("security:getProfile", _id="p") == "security.profile.not_found"

    play(scene)


def test_get_many_is_all_or_nothing(play):
    async def scene(inside):
        found = await inside.result("security:mGetProfiles", {"ids": ["admin", "default"]})
        assert [hit["_id"] for hit in found["hits"]] == ["admin", "default"]
        assert "total" not in found
        assert await inside.error("security:mGetProfiles", {"ids": ["admin", "gone"]}) == "security.profile.not_found"
        assert await inside.result("security:mGetProfiles", {"ids": []}) == {"hits": []}

    play(scene)


def test_the_most_permissive_rate_limit_wins(play):
    async def scene(inside):
        for profile, limit in (("slow", 2), ("quick", 5), ("free", 0)):
            await inside.result(
                "security:createProfile", {"policies": [{"roleId": "admin"}], "rateLimit": limit}, _id=profile
            )
        for profiles, limit in [
            (["slow"], 2),
            (["slow", "quick"], 5),
            (["quick", "free"], 0),
            (["slow", "default"], 0),
        ]:
            name = "-".join(profiles)
            await inside.user(name, *profiles)
            assert inside.host.security.profiles.rate_limit(await inside.host.security.users.find(name)) == limit

    play(scene)


def test_a_change_of_role_or_profile_counts_at_once(play):
    async def scene(inside):
        await inside.restrict()
        root = await inside.user("root", "admin")
        ann = await inside.user("ann", "default")
        assert await inside.error("server:now", token=ann) == "security.rights.forbidden"
        allowed = {"controllers": {"server": {"actions": {"now": True}}}}
        await inside.result("security:createRole", allowed, _id="r", token=root)
        await inside.result("security:createProfile", {"policies": [{"roleId": "r"}]}, _id="p", token=root)
        await inside.result("security:updateUser", {"profileIds": ["p"]}, _id="ann", token=root)
        assert await inside.error("server:now", token=ann) is None
        await inside.result(
            "security:updateRole", {"controllers": {"server": {"actions": {"now": False}}}}, _id="r", token=root
        )
        assert await inside.error("server:now", token=ann) == "security.rights.forbidden"
        await inside.result("security:updateRole", allowed, _id="r", token=root)
        await inside.result("security:updateProfile", {"policies": [{"roleId": "default"}]}, _id="p", token=root)
        assert await inside.error("server:now", token=ann) == "security.rights.forbidden"

    play(scene)


@pytest.mark.parametrize(
    "action",
    [
        "createRole",
        "createOrReplaceRole",
        "updateRole",
        "deleteRole",
        "createProfile",
        "updateProfile",
        "deleteProfile",
    ],
)
def test_a_change_whose_client_goes_away_is_the_same_in_memory_as_on_disk(play, action):
    """A socket that closes cancels its requests, in the middle of a write that is done all the same."""
    import asyncio

    role, profile = {"controllers": {"server": {"actions": {"now": True}}}}, {"policies": [], "tags": ["new"]}

    async def first(inside):
        await inside.result("security:createRole", {"controllers": {"server": {"actions": {"now": False}}}}, _id="x")
        await inside.result("security:createProfile", {"policies": []}, _id="x")
        name = "y" if action in ("createRole", "createProfile") else "x"
        body = None if "delete" in action else role if "Role" in action else profile
        task = asyncio.create_task(inside.ask(f"security:{action}", body, _id=name))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await inside.result("security:createRole", role, _id="barrier")
        return (
            {kind: await inside.rows(kind) for kind in ("roles", "profiles")},
            dict(inside.host.security.roles._roles),
            dict(inside.host.security.profiles._profiles),
        )

    kept, roles, profiles = play(first)
    assert kept["roles"] == roles
    assert kept["profiles"] == profiles
