from __future__ import annotations

import logging


def test_accounts_of_a_strategy_that_does_not_exist_are_warned_of_at_the_start(play, scripted, caplog):
    async def scene(_):
        pass

    with caplog.at_level(logging.WARNING, "visado.security"):
        play(scene, strategies=[scripted("saml")], accounts={"saml": {"auto_create": True}, "smal": {}})
    text = "[accounts.smal] has no effect: no strategy and no token verifier is called 'smal'"
    assert caplog.messages == [text]
