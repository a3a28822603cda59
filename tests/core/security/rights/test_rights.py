from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visado.security.rights import rights
from visado.security.rights.rights import Policy, Rights, list_rights, role_allows

ALL = {"*": {"actions": {"*": True}}}


def role(**controllers):
    return {name: {"actions": actions} for name, actions in controllers.items()}


@pytest.mark.parametrize(
    ("controllers", "controller", "action", "expected"),
    [
        ({}, "auth", "login", False),
        (ALL, "auth", "login", True),
        (role(auth={"login": True}), "auth", "login", True),
        (role(auth={"login": True}), "auth", "logout", False),
        (role(auth={"login": False}), "auth", "login", False),
        (role(auth={"*": True}), "auth", "anything", True),
        (role(auth={"*": True, "logout": False}), "auth", "logout", False),
        (role(auth={"*": True, "logout": False}), "auth", "login", True),
        (role(auth={"*": False, "logout": True}), "auth", "logout", True),
        (role(auth={"*": False, "logout": True}), "auth", "login", False),
        (role(auth={"login": True}) | ALL, "auth", "logout", False),
        (role(auth={"login": True}) | ALL, "server", "now", True),
        ({"*": {"actions": {"login": True}}}, "auth", "login", True),
        ({"*": {"actions": {"login": True}}}, "auth", "logout", False),
        (role(auth={"login": True}), "Auth", "login", False),
        (role(auth={"login": True}), "auth\0", "login", False),
        (role(auth={"*": True}), "*", "*", False),
        (role(auth={"login": 1}), "auth", "login", False),
        (role(auth={"login": "true"}), "auth", "login", False),
    ],
)
def test_an_exact_entry_hides_the_wildcard_of_its_level(controllers, controller, action, expected):
    assert role_allows(controllers, controller, action) is expected
    assert Rights([Policy(controllers)]).allows(controller, action) is expected


def test_one_policy_that_allows_is_enough_and_a_false_cancels_nothing():
    denying, allowing = Policy(role(auth={"login": False})), Policy(role(auth={"login": True}))
    for policies in ([denying, allowing], [allowing, denying]):
        assert Rights(policies).allows("auth", "login")
    assert not Rights([denying]).allows("auth", "login")
    assert not Rights([]).allows("auth", "login")


PLACE = [{"index": "shop", "collections": ["cars", "bikes"]}, {"index": "zoo"}, {"index": "park", "collections": []}]


@pytest.mark.parametrize(
    ("restricted", "args", "expected"),
    [
        ([], {"index": "any", "collection": "any"}, True),
        (PLACE, None, True),
        (PLACE, {}, True),
        (PLACE, {"collection": "cars"}, True),
        (PLACE, {"index": "other"}, False),
        (PLACE, {"index": "zoo"}, True),
        (PLACE, {"index": "zoo", "collection": "any"}, True),
        (PLACE, {"index": "park", "collection": "any"}, True),
        (PLACE, {"index": "shop"}, True),
        (PLACE, {"index": "shop", "collection": "cars"}, True),
        (PLACE, {"index": "shop", "collection": "boats"}, False),
        (PLACE, {"index": "*"}, False),
        (PLACE, {"index": ["zoo"]}, False),
        (PLACE, {"index": {"zoo": 1}}, False),
        ([{"index": "*"}], {"index": "zoo"}, False),
        ([{"index": "z"}, {"index": "z", "collections": ["a"]}], {"index": "z", "collection": "b"}, True),
        (PLACE, {"targets": [{"index": "shop", "collections": ["cars"]}]}, True),
        (PLACE, {"targets": [{"index": "shop", "collections": ["cars", "bikes"]}, {"index": "zoo", "collections": ["x"]}]}, True),
        (PLACE, {"targets": [{"index": "shop", "collections": ["cars", "boats"]}]}, False),
        (PLACE, {"targets": [{"index": "shop", "collections": ["*"]}]}, False),
        (PLACE, {"targets": [{"index": "*", "collections": ["cars"]}]}, False),
        ([], {"targets": [{"index": "*", "collections": ["cars"]}]}, False),
        (PLACE, {"targets": [{"index": "other"}, {"collections": ["x"]}, {}]}, True),
        (PLACE, {"targets": []}, True),
        (PLACE, {"targets": ["shop"]}, False),
        (PLACE, {"targets": "shop"}, False),
        (PLACE, {"targets": [{"index": "shop", "collections": "cars"}]}, False),
        (PLACE, {"targets": [None]}, False),
    ],
)  # fmt: skip
def test_restrictions(restricted, args, expected):
    assert Rights([Policy(ALL, restricted)]).allows("document", "get", args) is expected


def test_restrictions_of_different_policies_add_up_per_collection():
    rights = Rights(
        [Policy(ALL, [{"index": "a", "collections": ["x"]}]), Policy(ALL, [{"index": "a", "collections": ["y"]}])]
    )
    assert rights.allows("document", "get", {"targets": [{"index": "a", "collections": ["x", "y"]}]})
    assert not rights.allows("document", "get", {"targets": [{"index": "a", "collections": ["x", "z"]}]})


def test_what_is_remembered_of_strangers_words_is_bounded():
    rights = Rights([Policy(role(auth={"login": True}))])
    for number in range(10_000):
        assert not rights.allows(f"controller{number}", "x")
    assert len(rights._cache) <= 4_096
    assert rights.allows("auth", "login")


def test_listing_has_an_item_per_entry_and_restriction_and_none_twice():
    policies = [
        Policy(role(auth={"login": True, "logout": False})),
        Policy(role(auth={"login": True})),
        Policy(role(auth={"login": False})),
        Policy(ALL, [{"index": "a", "collections": ["x", "y"]}, {"index": "b"}]),
    ]
    found = list_rights(policies)
    items = {tuple(hit.values()) for hit in found["hits"]}
    assert items == {
        ("auth", "login", "*", "*", "allowed"),
        ("auth", "logout", "*", "*", "denied"),
        ("auth", "login", "*", "*", "denied"),
        ("*", "*", "a", "x", "allowed"),
        ("*", "*", "a", "y", "allowed"),
        ("*", "*", "b", "*", "allowed"),
    }
    assert found["total"] == len(found["hits"]) == 6


NAMES = st.sampled_from(["*", "a", "b"])
ROLES = st.dictionaries(NAMES, st.fixed_dictionaries({"actions": st.dictionaries(NAMES, st.booleans(), min_size=1)}))


@given(st.lists(ROLES, max_size=4), NAMES, NAMES)
def test_compiled_rights_agree_with_the_plain_rule(roles, controller, action):
    plain = False
    for each in roles:
        entry = each[controller] if controller in each else each.get("*")
        if entry is not None:
            actions = entry["actions"]
            plain = plain or (actions[action] if action in actions else actions.get("*", False)) is True
    rights = Rights(Policy(each) for each in roles)
    assert [rights.allows(controller, action) for _ in range(2)] == [plain, plain]


def test_shared_policies_allow_what_both_allow():
    """For every pair of roles and restrictions, and every action: as if both had been asked.

    Without a collection, two roles that are restricted to different ones share nothing that a list could name.
    """
    values = (
        {},
        {"*": {"*": True}},
        {"a": {"x": True}},
        {"a": {"x": False, "*": True}, "*": {"*": True}},
        {"a": {"*": False}},
    )
    roles = [{name: {"actions": actions} for name, actions in each.items()} for each in values]
    restrictions = [
        (),
        ({"index": "i"},),
        ({"index": "i", "collections": ["c"]}, {"index": "j"}),
        ({"index": "i", "collections": ["d"]},),
    ]
    policies = [rights.Policy(role, restriction) for role in roles for restriction in restrictions]
    for first in policies:
        for second in policies:
            shared = rights.Rights(rights.shared_policies([first], [second]))
            for controller in ("a", "b"):
                for action in ("x", "y"):
                    for args in (
                        {},
                        {"index": "i"},
                        {"index": "i", "collection": "c"},
                        {"index": "j", "collection": "d"},
                    ):
                        both = all(rights.Rights([each]).allows(controller, action, args) for each in (first, second))
                        if "collection" in args or not (first.restricted_to and second.restricted_to):
                            assert shared.allows(controller, action, args) == both, (
                                first,
                                second,
                                controller,
                                action,
                                args,
                            )
