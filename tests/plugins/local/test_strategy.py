from __future__ import annotations

import pytest

from visado import Actor, Fail, Success, errors
from visado.strategy import form_fields

BY = Actor("administrator")
MISSING, WRONG = Fail("Missing credentials"), Fail("wrong username or password")


async def refusal(call):
    with pytest.raises(errors.VisadoError) as refused:
        await call
    return refused.value.status, refused.value.text


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({}, MISSING),
        ({"username": "ann"}, MISSING),
        ({"password": "x"}, MISSING),
        ({"username": "", "password": "x"}, MISSING),
        ({"username": "ann", "password": ""}, MISSING),
        ({"username": {"a": 1}, "password": "x"}, MISSING),
        ({"username": "ann", "password": ["x"]}, MISSING),
        ({"username": "ann", "password": None}, MISSING),
        ({"username": 42, "password": "x"}, WRONG),
        ({"username": "ann", "password": 42}, WRONG),
        ({"username": "ann", "password": 10**5_000}, WRONG),
        ({"username": 10**5_000, "password": "x"}, WRONG),
        ({"username": "ann", "password": "x"}, WRONG),
        ({"username": "ANN", "password": "a long enough phrase"}, WRONG),
        ({"username": " ann ", "password": "a long enough phrase"}, WRONG),
        ({"username": "ann\0", "password": "a long enough phrase"}, WRONG),
        ({"username": "_search", "password": "x"}, WRONG),
        ({"username": "\ud800", "password": "x"}, WRONG),
        ({"username": "u" * 10_000, "password": "x"}, WRONG),
        (
            {"username": "ann", "password": "a long enough phrase", "foo": "bar"},
            Success("kuid-ann", methods=frozenset({"pwd"})),
        ),
    ],
)
def test_logins(play, body, outcome):
    async def scene(local):
        await local.enroll()
        assert await local.strategy.authenticate(local.ask(body=body)) == outcome

    play(scene)


def test_credentials_are_not_read_from_the_address(play):
    async def scene(local):
        await local.enroll()
        args = {"username": "ann", "password": "a long enough phrase"}
        assert await local.strategy.authenticate(local.ask(args=args, textual=True)) == MISSING
        assert await local.strategy.authenticate(local.ask(args=args)) == MISSING

    play(scene)


def test_credentials_of_nobody_do_not_log_in(play):
    async def scene(local):
        user_id = await local.enroll()
        await local.host.security.users.delete(user_id)
        assert await local.login() == WRONG

    play(scene)


def test_usernames_are_free_text(play):
    async def scene(local):
        for name in ("Ann", "ann", "ünïcøde/é?#", "a b", "-1", "a" * 256, "🦊", "a\r\nb: c", "%00"):
            user_id = await local.enroll(name)
            assert await local.login(name) == local.success(user_id)
            assert await local.strategy.by_id(name) == {"username": name, "kuid": user_id}

    play(scene)


@pytest.mark.parametrize("name", ["a" * 257, "\ud800", ["a"], {"a": 1}, True, 1.5, 2**60])
def test_what_is_no_username_is_refused(play, name):
    async def scene(local):
        credentials = {"username": name, "password": "x"}
        status, _ = await refusal(local.strategy.validate("x", credentials, BY, update=False))
        assert status == 400
        assert (await refusal(local.strategy.create("x", credentials, BY)))[0] == 400

    play(scene)


def test_a_number_is_its_text(play):
    async def scene(local):
        await local.user("kuid-42")
        credentials = {"username": 42, "password": "x"}
        await local.strategy.validate("kuid-42", credentials, BY, update=False)
        assert await local.strategy.create("kuid-42", credentials, BY) == {"username": "42"}
        assert await local.login("42", "x") == await local.login(42, "x") == local.success("kuid-42")

    play(scene)


@pytest.mark.parametrize(
    ("credentials", "update", "status", "message"),
    [
        ({"username": "new", "password": "x", "kuid": "z"}, False, 400, "kuid cannot be specified in credentials."),
        ({"kuid": "x"}, True, 400, "kuid cannot be specified in credentials."),
        ({"username": "bob", "password": "x"}, False, 412, 'Login "bob" is already used.'),
        ({"username": "bob"}, False, 412, 'Login "bob" is already used.'),
        ({"username": "bob"}, True, 412, 'Login "bob" is already used.'),
        ({"password": "x"}, False, 400, "Username required."),
        ({}, False, 400, "Username required."),
        ("foo", False, 400, "Username required."),
        ([], False, 400, "Username required."),
        ({"username": "new"}, False, 400, "Password required."),
        ({"username": "new", "password": ""}, False, 400, "Password required."),
        ({"username": "new", "password": None}, False, 400, "Password required."),
        ({}, True, 400, "Missing username or password."),
        ({"username": "", "password": ""}, True, 400, "Missing username or password."),
        ({"username": "new", "password": 42}, False, 400, "Invalid password: a text of at most 4096 bytes."),
    ],
)
def test_validation(play, credentials, update, status, message):
    async def scene(local):
        user_id, _ = await local.enroll(), await local.enroll("bob")
        assert await refusal(local.strategy.validate(user_id, credentials, BY, update=update)) == (status, message)

    play(scene)


def test_own_name_is_not_taken(play):
    async def scene(local):
        user_id = await local.enroll()
        for update in (True, False):
            credentials = {"username": "ann", "password": "x"}
            assert await local.strategy.validate(user_id, credentials, BY, update=update) is None

    play(scene)


def test_without_validation(play):
    async def scene(local):
        user_id = await local.enroll()
        strategy = local.strategy
        assert await refusal(strategy.create("x", {"password": "x"}, BY)) == (400, "Username required.")
        assert await refusal(strategy.create("x", {"username": "x"}, BY)) == (400, "Password needed.")
        assert await refusal(strategy.update(user_id, {"kuid": "x", "password": "y"}, BY)) == (
            400,
            "The request must not contain a kuid attribute.",
        )
        assert (await refusal(strategy.update(user_id, {}, BY)))[0] == 400

    play(scene)


def test_what_is_shown_and_refused(play):
    async def scene(local):
        user_id = await local.enroll()
        await local.enroll("bob")
        strategy = local.strategy
        assert await strategy.info(user_id) == {"username": "ann", "kuid": user_id}
        assert await refusal(strategy.by_id("eve")) == (412, 'No credentials found for username "eve".')
        for call in (strategy.info("x"), strategy.delete("x", BY), strategy.update("x", {"password": "x"}, BY)):
            assert await refusal(call) == (412, 'No credentials found for user "x".')
        assert await refusal(strategy.create(user_id, {"username": "new", "password": "x"}, BY)) == (
            412,
            f'A strategy already exists for user "{user_id}".',
        )
        assert await refusal(strategy.update(user_id, {"username": "bob"}, BY)) == (412, 'Login "bob" is already used.')

    play(scene)


def test_updates(play):
    async def scene(local):
        user_id = await local.enroll()
        assert await local.change(user_id, password="second") == {"username": "ann", "kuid": user_id}
        assert await local.login(password="second") == local.success(user_id)
        assert await local.change(user_id, username="anne") == {"username": "anne"}
        assert await local.login("anne", "second") == local.success(user_id)
        assert await local.login("ann", "second") == WRONG
        assert await local.change(user_id, username="anne", foo=1) == {"username": "anne", "kuid": user_id}
        assert await local.change(user_id, username="ann", password="third") == {"username": "ann"}
        assert await local.login("ann", "third") == local.success(user_id)
        assert form_fields(local.strategy.credentials_form) == ("username", "password")

    play(scene)


NAMES = ["ann", "anton", "bob", "eve"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, NAMES),
        (None, NAMES),
        ({"match": {"username": "ann"}}, ["ann"]),
        ({"match": {"username": {"query": "ann", "boost": 2}}}, ["ann"]),
        ({"term": {"username": {"value": "bob"}}}, ["bob"]),
        ({"terms": {"username": ["bob", "eve", "x"]}}, ["bob", "eve"]),
        ({"prefix": {"username": "an"}}, ["ann", "anton"]),
        ({"bool": {"must_not": {"term": {"username": "bob"}}}}, ["ann", "anton", "eve"]),
        ({"bool": {"should": [{"term": {"username": "bob"}}, {"term": {"username": "eve"}}]}}, ["bob", "eve"]),
        (
            {"bool": {"filter": [{"prefix": {"username": "an"}}], "must_not": [{"term": {"username": "ann"}}]}},
            ["anton"],
        ),
        ({"match": {"username": "ANN"}}, []),
        ({"match": {"username": 1}}, []),
    ],
)
def test_searches(play, query, found):
    async def scene(local):
        for name in NAMES:
            await local.enroll(name, "x")
        answer = await local.strategy.search(query, sort=[{"username": "asc"}])
        assert answer == {
            "hits": [{"username": name, "kuid": f"kuid-{name}"} for name in found],
            "total": len(found),
        }

    play(scene)


def test_pages(play):
    async def scene(local):
        for name in NAMES:
            await local.enroll(name, "x")
        search = local.strategy.search
        for sort in ([{"kuid": {"order": "desc"}}], {"username": "desc"}):
            answer = await search({}, sort=sort, offset=1, limit=2)
            assert [hit["username"] for hit in answer["hits"]] == ["bob", "anton"]
            assert answer["total"] == 4
        assert (await search({}, sort="username", limit=0))["hits"] == []

    play(scene)


FIELD = 'Forbidden field "{}". Only the "username" or "kuid" fields are sortable and only the first is also searchable.'
WORD = 'The "{}" keyword is not allowed in this search query for security concerns.'


@pytest.mark.parametrize(
    ("query", "sort", "status", "message"),
    [
        ({"match": {"kuid": "x"}}, None, 403, FIELD.format("kuid")),
        ({"term": {"hash": "x"}}, None, 403, FIELD.format("hash")),
        ({"prefix": {"userId": "x"}}, None, 403, FIELD.format("userId")),
        ({"bool": {"must": [{"term": {"hash": "x"}}]}}, None, 403, FIELD.format("hash")),
        ({}, [{"hash": "asc"}], 403, FIELD.format("hash")),
        ({}, "revision", 403, FIELD.format("revision")),
        ({"exists": {"field": "username"}}, None, 400, WORD.format("exists")),
        ({"range": {"hash": {"gte": "a"}}}, None, 400, WORD.format("range")),
        ({"script": {}}, None, 400, WORD.format("script")),
        ({"bool": {"must": {"wildcard": {"hash": "*"}}}}, None, 400, WORD.format("wildcard")),
        ({"match": {"username": {"analyzer": "x"}}}, None, 400, WORD.format("analyzer")),
        ({}, [{"username": {"nested": "x"}}], 400, WORD.format("nested")),
        ({"match": "x"}, None, 400, "[match] query malformed, an object is needed"),
        ({}, [42], 400, "[sort] malformed, a field or an object is needed"),
        ({"match": {"username": ["a"]}}, None, 400, "[match] query does not support array of values"),
        ({}, [{"username": "up"}], 400, "[field_sort] the order of [username] must be asc or desc"),
        ("x", None, 400, 'Wrong type for argument "body.query" (expected: object)'),
    ],
)
def test_searches_know_few_words(play, query, sort, status, message):
    async def scene(local):
        await local.enroll()
        assert await refusal(local.strategy.search(query, sort=sort)) == (status, message)

    play(scene)


def test_searches_are_not_nested_without_end(play):
    query = {"match": {"username": "ann"}}
    for _ in range(100):
        query = {"bool": {"must": [query]}}

    async def scene(local):
        assert (await refusal(local.strategy.search(query)))[0] == 400

    play(scene)


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        ({"username": "ann", "password": "x"}, "ann"),
        ({"username": "ANN", "password": "x"}, "ANN"),  # another user: user names are compared letter by letter
        ({"username": 42, "password": "x"}, "42"),
        ({"username": "42", "password": 42}, "42"),
        ({"username": "u" * 257, "password": "x"}, None),
        ({"username": "\ud800", "password": "x"}, None),
        ({"username": "ann"}, None),
        ({"username": ["ann"], "password": "x"}, None),
        ({}, None),
    ],
)
def test_failed_logins_are_counted_by_the_user_name(play, body, subject):
    async def scene(local):
        assert local.strategy.subject(local.ask(body=body)) == subject

    play(scene)


def test_a_login_page_has_titles(play):
    async def scene(local):
        strategy = local.strategy
        assert strategy.title == "Password"
        for form in (strategy.login_form, strategy.credentials_form):
            properties = form.model_json_schema()["properties"]
            assert {name: each["title"] for name, each in properties.items()} == {
                "username": "User name",
                "password": "Password",
            }
            assert properties["password"]["format"] == "password"

    play(scene)
