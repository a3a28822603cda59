from __future__ import annotations

import re

from .test_users import content


def test_names_are_the_seeds(play):
    async def scene(inside):
        human = (await inside.result("security:createUser", content()))["_id"]
        assert re.fullmatch(r"kuid-[a-z]+-[a-z]+-\d{1,5}", human)
        uuid = (await inside.result("security:createUser", content(), kuid="uuid"))["_id"]
        assert re.fullmatch(r"kuid-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", uuid)
        assert re.fullmatch(r"knode-[a-z]+-[a-z]+-\d{1,4}", inside.host.node)

    play(scene)
