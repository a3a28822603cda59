"""Who creates, changes and deletes credentials is an argument, and not the request that happens to run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import pytest

from visado import Actor, Fields, User
from visado_kit.client_request import build_request
from visado_kit.credentials.suite import CredentialsHarness, CredentialsSuite
from visado_kit.expectations import expect_refusal
from visado_kit.harness import with_harness
from visado_kit.in_process import run_in_request

T = TypeVar("T")
_OF_AN_OWNER: Final = "auth:createMyCredentials"
_OF_AN_ADMINISTRATOR: Final = "security:createCredentials"


class CredentialsActors(CredentialsSuite):
    """An owner proves where the strategy demands it; an administrator and the host never have to."""

    @with_harness
    async def test_every_actor_can_manage_credentials(self, harness: CredentialsHarness) -> None:
        """The owner, a stranger who signs up, an administrator and the host: during a request, and outside of any."""
        user_id, credentials = await harness.create_user(), self.credentials(0)
        strategy = harness.strategy
        for actor in self._actors(user_id):
            sent = self._sent(credentials, actor)
            advice = f"with by={actor.kind}"
            await strategy.validate(user_id, sent, actor, update=False)
            self.expect_public(credentials, await strategy.create(user_id, sent, actor))
            await self.expect_exists(harness, user_id, True, f"after create() {advice}")
            await self.expect_accepted(harness, credentials, user_id, f"create() {advice} must store the credentials")
            await strategy.delete(user_id, Actor("host"))
            await self.expect_exists(harness, user_id, False, "after delete() with by=host")

    @with_harness
    async def test_an_owner_proves_its_subject(self, harness: CredentialsHarness) -> None:
        """Without the proof, an owner and a stranger are refused, whatever request runs."""
        credentials = self.credentials(0)
        if self.proven(credentials) is None:
            pytest.skip("proven() returns None: this strategy demands no proof")
        user_id, strategy = await harness.create_user(), harness.strategy
        advice = "an actor of by.must_prove must prove its subject: refuse credentials without the proof"
        for actor in (each for each in self._actors(user_id) if each.must_prove):
            for action in (_OF_AN_OWNER, _OF_AN_ADMINISTRATOR):
                await expect_refusal(
                    _during(action, strategy.validate(user_id, credentials, actor, update=False)),
                    f"{advice} from validate(), with by={actor.kind} during {action}",
                )
            creation = harness.host.security.strategy_credentials.create(strategy.name, user_id, credentials, actor)
            await expect_refusal(creation, f"{advice}, with by={actor.kind} outside of any request")

    @with_harness
    async def test_the_current_request_does_not_matter(self, harness: CredentialsHarness) -> None:
        """An administrator and the host need no proof, whatever request runs."""
        user_id, credentials = await harness.create_user(), self.credentials(0)
        changed = self.changed(credentials)
        for actor in (Actor("administrator"), Actor("host")):
            for action in (_OF_AN_OWNER, "mine:changeThings"):
                await self._manage(harness, user_id, credentials, changed, actor, action)

    async def _manage(
        self,
        harness: CredentialsHarness,
        user_id: str,
        credentials: Fields,
        changed: Fields | None,
        actor: Actor,
        action: str,
    ) -> None:
        strategy = harness.strategy
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "validate()": lambda: strategy.validate(user_id, credentials, actor, update=False),
            "create()": lambda: strategy.create(user_id, credentials, actor),
        }
        if changed is not None:
            calls["update()"] = lambda: strategy.update(user_id, changed, actor)
        calls["delete()"] = lambda: strategy.delete(user_id, actor)
        for name, call in calls.items():
            try:
                await run_in_request(build_request(action=action), call)
            except Exception as error:
                pytest.fail(
                    f"{name} with by={actor.kind}, during {action}, raised {error!r}: let `by` decide, which is an "
                    "argument, and not the controller of visado.current_request()"
                )

    def _sent(self, credentials: Fields, actor: Actor) -> Fields:
        proven = self.proven(credentials) if actor.must_prove else None
        return credentials if proven is None else proven

    def _actors(self, user_id: str) -> list[Actor]:
        owner = User(user_id, ("default",))
        return [
            Actor("owner", build_request(action=_OF_AN_OWNER, user=owner)),
            Actor("stranger", build_request(action="security:createRestrictedUser")),
            Actor("administrator", build_request(action=_OF_AN_ADMINISTRATOR, user=User("admin", ("admin",)))),
            Actor("administrator"),
            Actor("host"),
        ]


async def _during(action: str, call: Awaitable[T]) -> T:
    """Await a call while a request of this action runs."""

    async def work() -> T:
        return await call

    return await run_in_request(build_request(action=action), work)
