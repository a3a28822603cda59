"""A second factor for the tests: the PIN in the content of a user."""

from visado import Accept, Challenge, Fail, LoginCheck, Pass, hookimpl


class Pin(LoginCheck):
    name = "pin"

    async def check(self, login):
        return Challenge({}, {}, "The PIN, please.") if login.user.content.get("pin") else Pass()

    async def answer(self, login, state):
        return Accept() if login.request.fields.get("pin") == login.user.content["pin"] else Fail("wrong PIN")

    async def forget(self, user_id):
        pass


@hookimpl
def register_login_checks():
    return [Pin()]
