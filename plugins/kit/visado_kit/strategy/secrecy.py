"""What must stay secret, and what must survive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from visado.request import Fields
from visado.strategy import Fail
from visado_kit.canaries import Canaries
from visado_kit.stage import Stage, ask, dump, load, refused, staged
from visado_kit.strategy.suite import StrategySuite


class Secrecy(StrategySuite):
    """Secrets stay where they are, and what is kept can be moved."""

    portable: ClassVar[bool] = True
    """Whether the host's storage and settings hold all that a login needs: not so with a key file, for instance."""

    @staged
    async def test_no_secret_is_logged_shown_or_kept(self, stage: Stage) -> None:
        """Neither right nor wrong secrets are in a log, a result, an error, a `repr` or a row."""
        credentials = self.credentials(0)
        canaries, name = Canaries(self.secrets(credentials)), stage.strategy.name
        with canaries.watch():
            user_id, _ = await self.enroll(stage)
            outcomes = [await stage.login(each) for each in self._bodies(credentials, canaries)]
            error = await refused(stage.strategy.create(user_id, credentials))
            bodies = self._bodies(credentials, canaries)
            answers = [await ask(stage.host, "auth:login", each, strategy=name) for each in bodies]
            shown = await ask(stage.host, "security:getCredentials", strategy=name, _id=user_id)
        canaries.check(error.as_dict(), error, where="an error")
        canaries.check(stage.strategy, *outcomes, where="a repr: write one without it")
        canaries.check(*(each.envelope("node") for each in (*answers, shown)), where="an answer of the host")
        canaries.check(await dump(stage.host), where="a row of the storage: keep a hash")

    def _bodies(self, credentials: Fields, canaries: Canaries) -> tuple[Fields, Fields, Fields]:
        """Make right, wrong and unknown logins; what is guessed in them is secret, too."""
        body = self.login(credentials)
        wrong = self.wrong(body)
        for field, value in wrong.items():
            if isinstance(value, str) and value != body.get(field):
                canaries.add(value)
        return body, wrong, self.unknown(body)

    def test_what_it_keeps_can_be_moved(self, tmp_path: Path) -> None:
        """Copied by the storage's own words into another host, the same credentials log the same user in."""
        if not self.portable:
            pytest.skip("this strategy keeps something elsewhere")
        kept: dict[str, Any] = {}

        @staged
        async def export(self: Secrecy, stage: Stage) -> None:
            user_id, _ = await self.enroll(stage)
            kept.update(user_id=user_id, info=await stage.strategy.info(user_id))
            kept["rows"] = json.loads(json.dumps(await dump(stage.host)))

        @staged
        async def compare(self: Secrecy, stage: Stage) -> None:
            user_id, credentials = kept["user_id"], self.credentials(0)
            mend = "keep in the host's storage, as JSON, all that a login needs; or say portable = False"
            assert await stage.strategy.exists(user_id) is True, f"{mend}: after a move, exists() finds nothing"
            info: Fields = await stage.strategy.info(user_id)
            assert info == kept["info"], f"{mend}: after a move, info() shows something else"
            await self.enroll(stage, 1)
            await self.gets_in(stage, credentials, user_id, mend)
            outcome = await stage.login(self.wrong(self.login(credentials)))
            assert isinstance(outcome, Fail), f"{mend}: after a move, a wrong secret leads to {outcome!r}"

        export(self, tmp_path / "old")
        load(tmp_path / "new", kept["rows"])
        compare(self, tmp_path / "new")
