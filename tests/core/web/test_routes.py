from __future__ import annotations

import pytest

from tests.core.zoo import Aviary, Zoo
from visado.controller import ActionTable
from visado.web.routes import Routes


@pytest.mark.parametrize(
    ("verb", "path", "found"),
    [
        ("GET", b"/zoo/lion", ("mGetAnimals", {"animal": "lion"})), ("GET", b"/zoo/lion/", ("mGetAnimals", {"animal": "lion"})),
        ("GET", b"/zoo/_all", ("all", {})), ("POST", b"/zoo", ("mGetAnimals", {})), ("POST", b"/zoo/", ("mGetAnimals", {})),
        ("PUT", b"/zoo/a/b", ("move", {"animal": "a"})), ("GET", b"/zoo/a%2Fb", ("mGetAnimals", {"animal": "a/b"})),
        ("GET", b"/zoo/a+b", ("mGetAnimals", {"animal": "a+b"})), ("GET", b"/zoo/%C3%A9", ("mGetAnimals", {"animal": "é"})),
        ("GET", b"/zoo/%5Fall", ("all", {})), ("GET", b"/zoo", None), ("GET", b"/zoo//", None), ("GET", b"//zoo/lion", None),
        ("GET", b"/zoo//lion", None), ("GET", b"/zoo/lion//", None), ("GET", b"/ZOO/lion", None), ("GET", b"/zoo/%ff", None),
        ("GET", b"/aviary/../zoo/lion", None), ("GET", b"/%2e%2e/zoo/lion", None), ("GET", b"/zoo/../aviary", None),
        ("DELETE", b"/zoo/_all/b", None), ("GET", b"/zoo/:animal", ("mGetAnimals", {"animal": ":animal"})),
        ("GET", b"zoo/lion", ("mGetAnimals", {"animal": "lion"})), ("GET", b"", None), ("GET", b"/", None),
    ],
)  # fmt: skip
def test_paths_lead_to_one_action_or_nowhere(verb, path, found):
    answer = Routes(ActionTable([Zoo(), Aviary()])).find(verb, path)
    if found is None:
        assert answer is None
    else:
        assert answer is not None
        assert answer[0].name == found[0]
        assert found[1].items() <= answer[1].items()


def test_unlisted_routes_work_but_are_not_shown():
    shown = ActionTable([Zoo()]).public()["zoo"]["mGetAnimals"]
    assert shown["http"] == [{"path": "/zoo/:animal", "url": "/zoo/:animal", "verb": "GET"}]
