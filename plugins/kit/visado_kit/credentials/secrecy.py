"""Where the secrets of credentials must not be, and whether stored credentials can be moved to another host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from visado import Fields
from visado_kit.canaries import Canaries
from visado_kit.credentials.suite import BY, CredentialsHarness, CredentialsSuite
from visado_kit.expectations import expect_refusal
from visado_kit.harness import with_harness
from visado_kit.in_process import dump_documents, load_documents


class CredentialsSecrecy(CredentialsSuite):
    """No secret is logged, returned or stored, and stored credentials work in another host."""

    portable: ClassVar[bool] = True
    """Whether the storage and the settings hold all that a login needs; False if a key is in a file, for instance."""

    @with_harness
    async def test_no_secret_is_logged_shown_or_stored(self, harness: CredentialsHarness) -> None:
        """Secrets are in no log, result, error, `repr` or stored document."""
        credentials = self.credentials(0)
        canaries, name, strategy = Canaries(self.secrets(credentials)), harness.strategy.name, harness.strategy
        with canaries.watch():
            user_id, _ = await self.enroll(harness)
            other = await harness.create_user(1)
            error = await expect_refusal(strategy.create(other, credentials, BY))
            shown = await harness.host.run("security:getCredentials", strategy=name, _id=user_id)
        canaries.check(error.as_dict(), error, where="an error")
        canaries.check(repr(harness.strategy), where="a repr: write a __repr__ without it")
        canaries.check(shown.envelope("node"), where="a response of the host")
        canaries.check(await dump_documents(harness.host), where="a stored document: store its hash")

    def test_stored_credentials_can_be_moved(self, tmp_path: Path) -> None:
        """The same credentials log in the same user of another host, to which every document was copied."""
        if not self.portable:
            pytest.skip("portable is False: this strategy needs something that the storage does not hold")
        exported: dict[str, Any] = {}

        @with_harness
        async def export(self: CredentialsSecrecy, harness: CredentialsHarness) -> None:
            user_id, _ = await self.enroll(harness)
            exported.update(user_id=user_id, info=await harness.strategy.info(user_id))
            exported["documents"] = json.loads(json.dumps(await dump_documents(harness.host)))

        @with_harness
        async def compare(self: CredentialsSecrecy, harness: CredentialsHarness) -> None:
            user_id, credentials = exported["user_id"], self.credentials(0)
            advice = "store all that a login needs in the host's storage, as JSON, or declare portable = False"
            exists = await harness.strategy.exists(user_id)
            assert exists is True, f"{advice}: after a move, exists() returns {exists!r}"
            info: Fields = await harness.strategy.info(user_id)
            assert info == exported["info"], f"{advice}: after a move, info() returns something else"
            await self.enroll(harness, 1)
            await self.expect_accepted(harness, credentials, user_id, advice)

        export(self, tmp_path / "old")
        load_documents(tmp_path / "new", exported["documents"])
        compare(self, tmp_path / "new")
