"""What `host.added_strategies.find` compares: settings as the kind reads them, and never a secret."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from tests.core.security.logins.scripts import Told
from visado import errors
from visado.strategy import StrategyKind, Success


class House(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    domain: str
    country: str = "tr"
    word: SecretStr | None = None
    words: dict[str, SecretStr] = {}


class Kind(StrategyKind):
    name, settings = "house", House

    def make(self, name, settings):
        return Told(name, Success("ann"))


def test_added_strategies_are_found_by_what_is_not_secret(play, tmp_path):
    async def scene(inside):
        security = inside.host.security
        security.strategy_kinds.add(Kind(), "")
        added = security.host.added_strategies
        settings = {"domain": "a.example", "word": "xyzzy", "words": {"x": "xyzzy"}}
        await added.add("house", "a", settings)
        await added.add("house", "b", {"domain": "b.example", "country": "de"})
        assert added.find("house", domain="a.example") == ("a",)
        assert added.find("house", country="tr") == ("a",)  # a default counts
        assert added.find("house") == ("a", "b")
        assert added.find("other") == ()
        for secret in ({"word": "xyzzy"}, {"word": "**********"}, {"words": {"x": "**********"}}, {"none": None}):
            assert added.find("house", **secret) == ()
        assert "xyzzy" not in str(vars(security.added_strategies)["_public"])
        await inside.result("security:updateStrategy", {"domain": "c.example"}, strategy="a")
        assert (added.find("house", domain="a.example"), added.find("house", domain="c.example")) == ((), ("a",))
        with pytest.raises(errors.StrategyExists):
            await added.add("house", "b", {"domain": "a.example"})
        with pytest.raises(errors.StrategyRejected):
            await added.add("house", "d", {"domain": 5})
        assert added.find("house", domain="b.example") == ("b",)
        await added.remove("b")
        assert added.find("house") == ("a",)
        with pytest.raises(errors.UnknownStrategy):
            await added.remove("b")
        with pytest.raises(errors.StrategyDeclared):
            await added.remove("told")

    play(scene, strategies=[Told("told")])
