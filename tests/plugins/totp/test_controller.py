"""Who may call the actions of `totp`."""

from __future__ import annotations

import asyncio

import pytest

from visado import Strategy, Success
from visado_kit.in_process import build_host

ACTIONS = ["begin", "confirm", "disable", "renewRecoveryCodes", "forgetDevices"]


class Become(Strategy):
    """Logs in as another user."""

    name = "become"

    async def authenticate(self, request):
        return Success(request.fields["user"], actor=request.user.id)


@pytest.mark.parametrize("rights", ["within-actor", "full"])
def test_nobody_changes_the_second_factor_of_a_user_as_whom_it_acts(tmp_path, rights):
    async def scene():
        async with build_host(tmp_path, {"security": {"impersonation": rights}}) as host:
            host.replace_strategy(Become())
            await host.open()
            actor, user = await host.create_user(0), await host.create_user(1)
            own = [(await host.security.tokens.create(each)).text for each in (actor, user)]
            login = await host.run("auth:login", {"user": user}, strategy="become", token=own[0])
            acting = login.reply.result["jwt"]
            body = {"enrolment": "x", "code": "123456"}
            for action in ACTIONS:
                refused = await host.run(f"totp:{action}", body, token=acting)
                assert (refused.status, refused.error.id) == (403, "security.rights.forbidden"), action
                for token in own:
                    answer = await host.run(f"totp:{action}", body, token=token)
                    assert answer.status != 403, action
            assert (await host.run("totp:getStatus", token=acting)).reply.result["enrolled"] is False

    asyncio.run(scene())
