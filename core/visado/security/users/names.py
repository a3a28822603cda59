"""Generated ids of users and nodes: `kuid-tricky-comedian-10492`, `knode-glamorous-flaubert-1113`."""

from __future__ import annotations

import secrets
import uuid
from typing import Final, Literal

_ADJECTIVES: Final = (
    "able amber ancient apt artful azure bold brave breezy bright brisk bronze calm candid careful charming "
    "cheerful clever coastal copper cosmic crisp curious dapper daring deft eager early earnest easy elegant "
    "famous fearless fine fluent fond frank fresh gentle glad glamorous golden graceful grand happy hardy hazel "
    "honest humble ivory jolly keen kind lively loyal lucid lucky lunar mellow merry mighty modest neat nimble "
    "noble novel numerous open patient plain polite proud quick quiet rapid rare ready robust royal rustic sage "
    "serene sharp shiny silent silver simple sincere smart smooth solar solid spry steady stellar sturdy subtle "
    "sunny swift tender tidy tranquil tricky trusty upbeat urban valiant vast velvet vivid warm wise witty zesty"
).split()
_NOUNS: Final = (
    "acrobat albatross anchor antelope archer artist atlas badger baker banjo beacon beaver bishop bison breeze "
    "canyon captain cedar cellist chimera cobbler comedian comet condor cooper coral courier crane cricket dancer "
    "dolphin drummer eagle ember falcon ferret fiddler finch flutist forest fox galaxy gardener gazelle geyser "
    "glacier guitar harbor harpist hawk heron herald island jaguar jester juggler kestrel koala lagoon lantern "
    "lark lemur lion lynx magpie mariner meadow merlin miller minstrel mole monsoon nebula nomad ocean orchid "
    "osprey otter owl painter panther pelican penguin pianist pilot pioneer poet potter quail quartz rabbit ranger "
    "raven river robin sailor salmon scholar scout seal sparrow sphinx squirrel stork swan tailor tiger toucan "
    "trader valley violin voyager walrus weaver whale willow wizard wolf wren zebra"
).split()


def _generate(prefix: str, numbers: int) -> str:
    words = (secrets.choice(_ADJECTIVES), secrets.choice(_NOUNS), str(secrets.randbelow(numbers)))
    return "-".join((prefix, *words))


def new_user_id(style: Literal["human", "uuid"] = "human") -> str:
    """Generate an id for a user, of words or a UUID. An id of words may be taken already."""
    return f"kuid-{uuid.uuid4()}" if style == "uuid" else _generate("kuid", 100_000)


def new_node_id() -> str:
    """Generate the id of this process."""
    return _generate("knode", 10_000)
