from __future__ import annotations

import pytest

from visado.security.rights.roles import ALL_ACTIONS, RESTRICTED_ROLES

OK = {"auth": {"actions": {"login": True}}}
TYPE, EMPTY, MISSING = "api.assert.invalid_type", "api.assert.empty_argument", "api.assert.missing_argument"
ACTION, CONTROLLER = "security.role.unknown_action", "security.role.unknown_controller"
BAD = [
    (None, False, "api.assert.body_required", []),
    ([1], False, TYPE, ["body", "object"]),
    ({"controllers": None}, False, MISSING, ["r.controllers"]),
    ({"controllers": []}, False, TYPE, ["r.controllers", "object"]),
    ({"controllers": "x"}, False, TYPE, ["r.controllers", "object"]),
    ({}, False, EMPTY, ["r.controllers"]),
    ({"controllers": {}}, False, EMPTY, ["r.controllers"]),
    ({"controllers": {"auth": None}}, False, TYPE, ["auth", "object"]),
    ({"controllers": {"auth": []}}, False, TYPE, ["auth", "object"]),
    ({"controllers": {"auth": {}}}, False, EMPTY, ["auth"]),
    ({"controllers": {"auth": {"x": 1}}}, False, MISSING, ["auth"]),
    ({"controllers": {"auth": {"actions": None}}}, False, TYPE, ["auth.actions", "object"]),
    ({"controllers": {"auth": {"actions": []}}}, False, TYPE, ["auth.actions", "object"]),
    ({"controllers": {"auth": {"actions": {}}}}, False, EMPTY, ["auth.actions"]),
    ({"controllers": {"auth": {"actions": {"login": "yes"}}}}, False, TYPE, ["auth.actions.login", "boolean"]),
    ({"controllers": {"auth": {"actions": {"login": 1}}}}, False, TYPE, ["auth.actions.login", "boolean"]),
    ({"controllers": {"auth": {"actions": {"login": None}}}}, False, TYPE, ["auth.actions.login", "boolean"]),
    ({"controllers": {"auth": {"actions": {"fly": True}}}}, False, ACTION, None),
    ({"controllers": {"auth": {"actions": {"fly": True}}}}, True, ACTION, None),
    ({"controllers": {"*": {"actions": {"login": True}}}}, False, ACTION, None),
    ({"controllers": {"*": {"actions": {"login": True}}}}, True, ACTION, None),
    ({"controllers": {"Auth": {"actions": {"login": True}}}}, False, CONTROLLER, None),
    ({"controllers": {"shop": {"actions": {"sell": True}}}}, False, ACTION, None),
    ({"controllers": {"auth": {"actions": {"login": True}}, "zoo": {"actions": {"*": True}}}}, False, CONTROLLER, None),
]
RESOURCES = {"resources": {"shop": ["buy"]}}


def test_a_bad_role_gets_the_error_that_the_contract_names(play):
    async def scene(inside):
        for action in ("createRole", "createOrReplaceRole", "updateRole"):
            for body, force, expected, props in BAD:
                response = await inside.ask(f"security:{action}", body, _id="r", force=force)
                assert response.error is not None, (action, body)
                assert response.error.id == expected, (action, body)
                if props is not None:
                    assert response.error.props == props, (action, body)
        assert await inside.error("security:getRole", _id="r") == "security.role.not_found"

    play(scene, rights=RESOURCES)


@pytest.mark.parametrize(
    ("controllers", "force"),
    [
        (OK, False),
        ({"*": {"actions": {"*": True}}}, False),
        ({"auth": {"actions": {"*": False}}}, False),
        ({"shop": {"actions": {"buy": True}}}, False),
        ({"shop": {"actions": {"sell": True}}}, True),
        ({"zoo": {"actions": {"look": True}}}, True),
        ({"kuzzle-plugin-auth-passport-local/password": {"actions": {"reset": True}}}, False),
    ],
)
def test_a_good_role_is_kept_and_shown(play, controllers, force):
    async def scene(inside):
        body = {"controllers": controllers, "tags": ["t"], "_kuzzle_info": "no", "_id": "no"}
        made = await inside.result("security:createRole", body, _id="r", force=force)
        shown = await inside.result("security:getRole", _id="r")
        assert made == shown
        assert shown["_id"] == "r"
        assert shown["_source"]["tags"] == ["t"]
        assert shown["_source"]["_kuzzle_info"]["createdAt"] == inside.clock.now
        assert "_id" not in shown["_source"]
        assert (
            await inside.error("security:createRole", body, _id="r", force=force)
            == "services.storage.document_already_exists"
        )

    play(scene, rights=RESOURCES)


def test_login_can_never_be_taken_from_anonymous(play):
    bad = [
        {"auth": {"actions": {"logout": True}}},
        {"auth": {"actions": {"login": False}}},
        {"auth": {"actions": {"*": True, "login": False}}},
        {"auth": {"actions": {"getCurrentUser": True}}, "*": {"actions": {"*": True}}},
        {"*": {"actions": {"*": False}}},
    ]

    async def scene(inside):
        root = await inside.user("root", "admin")
        for action in ("createOrReplaceRole", "updateRole"):
            for controllers in bad:
                error = await inside.error(
                    f"security:{action}", {"controllers": controllers}, _id="anonymous", token=root
                )
                assert error == "security.role.login_required"
            await inside.result(f"security:{action}", {"controllers": OK}, _id="anonymous", token=root)
        assert await inside.error("server:now") == "security.rights.unauthorized"

    play(scene)


def test_update_replaces_all_and_needs_a_role(play):
    async def scene(inside):
        assert await inside.error("security:updateRole", {"controllers": OK}, _id="r") == "services.storage.not_found"
        await inside.result("security:createRole", {"controllers": OK, "tags": ["t"]}, _id="r")
        updated = await inside.result("security:updateRole", {"controllers": ALL_ACTIONS}, _id="r")
        assert "tags" not in updated["_source"]
        assert await inside.result("security:getRole", _id="r") == updated

    play(scene)


def test_deletion_spares_what_is_needed(play):
    async def scene(inside):
        for role in ("admin", "default", "anonymous"):
            assert await inside.error("security:deleteRole", _id=role) == "security.role.cannot_delete"
        assert await inside.error("security:deleteRole", _id="r") == "security.role.not_found"
        await inside.result("security:createRole", {"controllers": OK}, _id="r")
        await inside.result("security:createProfile", {"policies": [{"roleId": "r"}]}, _id="p")
        assert await inside.error("security:deleteRole", _id="r") == "security.role.in_use"
        await inside.result("security:deleteProfile", _id="p")
        response = await inside.ask("security:mDeleteRoles", {"ids": ["r", "gone", "admin"]})
        assert (response.status, response.reply.result) == (206, ["r"])
        assert [each["id"] for each in response.error.extra()["errors"]] == [
            "security.role.not_found",
            "security.role.cannot_delete",
        ]
        too_many = {"ids": [f"r{number}" for number in range(201)]}
        assert await inside.error("security:mDeleteRoles", too_many) == "services.storage.write_limit_exceeded"
        assert await inside.result("security:mDeleteRoles", {"ids": []}) == []

    play(scene)


def test_a_role_survives_a_restart_and_restriction_is_the_contracts(play):
    async def first(inside):
        await inside.result("security:createRole", {"controllers": OK}, _id="r")
        await inside.result("security:restrictDefaultRights")

    async def second(inside):
        assert "r" in inside.host.security.roles
        for role, controllers in RESTRICTED_ROLES.items():
            assert inside.host.security.roles.find(role)["controllers"] == controllers
        assert await inside.error("server:now") == "security.rights.unauthorized"

    play(first)
    play(second)


def test_what_is_shown_is_not_what_is_kept(play):
    async def scene(inside):
        await inside.result("security:createRole", {"controllers": OK}, _id="r")
        shown = await inside.result("security:getRole", _id="r")
        shown["_source"]["tags"] = "mine"
        assert "tags" not in (await inside.result("security:getRole", _id="r"))["_source"]

    play(scene)


def test_roles_are_searched_by_the_controllers_that_they_name(play):
    async def scene(inside):
        await inside.restrict()
        token = await inside.user("root", "admin")
        await inside.result("security:createRole", {"controllers": OK}, _id="r", token=token)
        found = await inside.result("security:searchRoles", {"controllers": ["auth"]}, token=token)
        assert {hit["_id"] for hit in found["hits"]} == {"admin", "default", "anonymous", "r"}
        found = await inside.result("security:searchRoles", {"controllers": ["security"]}, token=token)
        assert {hit["_id"] for hit in found["hits"]} == {"admin"}
        for bad in (
            {"controllers": "auth"},
            {"controllers": {"auth": 1}},
            {"controllers": [["auth"]]},
            {"controllers": [{}]},
            {"controllers": [1]},
        ):
            response = await inside.ask("security:searchRoles", bad, token=token)
            assert response.status in (200, 400), (bad, response.error)

    play(scene)
