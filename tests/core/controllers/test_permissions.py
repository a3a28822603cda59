"""The golden matrix: who gets past the check of rights, for every action of the table.

`permissions.json` was written once, from `ask_all`, and is held against PERMISSIONS.md by the first test.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("permissions.json")
TABLE = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
CALLERS = ("nobody", "default", "admin", "expired", "key")
ENDING = ("admin:resetSecurity", "auth:logout", "auth:refreshToken")  # or nobody is left to ask the rest
OPEN = {"auth:getLoginForms"}  # `open_to=ANYBODY`: whatever the roles say
# PERMISSIONS.md section 2, after restriction.
DEFAULT = OPEN | {
    "auth:checkToken",
    "auth:getCurrentUser",
    "auth:getMyRights",
    "auth:logout",
    "auth:updateSelf",
    "server:publicApi",
}
ANONYMOUS = OPEN | {
    "auth:checkToken",
    "auth:getCurrentUser",
    "auth:getMyRights",
    "auth:login",
    "server:publicApi",
    "server:openapi",
}


def verdict(error):
    if error == "security.token.invalid":
        return "401 token"
    return {"security.rights.unauthorized": "401", "security.rights.forbidden": "403"}.get(error, "passes")


def test_the_golden_table_is_the_contracts():
    assert {action for action, row in TABLE.items() if row["nobody"] == "passes"} == ANONYMOUS
    assert {action for action, row in TABLE.items() if row["default"] == "passes"} == DEFAULT
    for action, row in TABLE.items():
        assert set(row) == set(CALLERS), action
        assert row["nobody"] in ("passes", "401"), action
        assert row["default"] in ("passes", "403"), action
        assert (row["admin"], row["expired"], row["key"]) == ("passes", "401 token", "passes"), action


async def ask_all(inside):
    await inside.restrict()
    tokens = {
        "nobody": None,
        "admin": await inside.user("root", "admin"),
        "default": await inside.user("ann", "default"),
    }
    made = await inside.result("auth:createApiKey", {"description": ""}, token=tokens["admin"])
    tokens |= {"key": made["_source"]["token"], "expired": await inside.token("root", 1)}
    inside.clock.now += 1
    found = {}
    for action in sorted(inside.host.table, key=lambda each: each.id):
        found[action.id] = {}
        for caller in CALLERS:
            inside.clock.now += 1_000  # the limits of rate are another matter
            if caller in ("admin", "key", "default") and action.id in ENDING:
                user = await inside.host.security.users.find("ann" if caller == "default" else "root")
                rights = inside.host.security.profiles.rights(user)
                found[action.id][caller] = "passes" if rights.allows(action.controller, action.name) else "403"
                continue
            # Arguments are left out: past the rights an action complains about them, and does no harm.
            error = await inside.error(action.id, token=tokens[caller])
            found[action.id][caller] = verdict(error)
            if caller == "nobody" and error == "security.rights.unauthorized":
                assert (await inside.ask(action.id)).status == 401
    return found


def test_every_action_treats_every_caller_as_the_golden_table_says(play):
    async def scene(inside):
        found = await ask_all(inside)
        assert set(found) == set(TABLE), "an action was added or taken: look at the golden table"
        differing = {action: (row, TABLE[action]) for action, row in found.items() if row != TABLE[action]}
        assert differing == {}

    play(scene, security={"token": {"expires_in": 36_000_000}}, plugins={"disabled": ["ldap", "oauth", "totp"]})


@pytest.mark.parametrize("path", ["route", "query", "socket"])
def test_the_same_decision_by_every_way(live, path):
    """Over the routes, over `_query` and over a socket, to the one who may least."""
    from websockets.sync.client import connect

    routes = {}
    for url, verbs in live.request("GET", "/_openapi").body["paths"].items():  # it lists our own actions, too
        for verb, operation in verbs.items():
            action = ":".join(operation["operationId"].split(".")[:2])
            routes.setdefault(action, []).append((verb.upper(), url))
    with connect(f"ws://127.0.0.1:{live.port}/", proxy=None) as socket:
        for action, row in TABLE.items():
            controller, _, name = action.rpartition(":")
            if path == "route":
                for verb, url in routes.get(action, []):
                    answer = live.request(verb, re.sub(r"{\w+}", "x", url))
                    assert (answer.status == 401 and answer.error_id == "security.rights.unauthorized") is (
                        row["nobody"] == "401"
                    ), (action, answer.body)
                continue
            if path == "query":
                error, status = (answer := live.query(action)).error_id, answer.status
            else:
                socket.send(json.dumps({"controller": controller, "action": name, "requestId": action}))
                answer = json.loads(socket.recv(20))
                while answer.get("room") != action:
                    answer = json.loads(socket.recv(20))
                error, status = (answer.get("error") or {}).get("id"), answer.get("status")
            assert (error == "security.rights.unauthorized") is (row["nobody"] == "401"), (action, status)
