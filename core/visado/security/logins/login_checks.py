"""The registry of login checks, and the calls of one under its limits.

Owns what a login check may return. Does not own what follows from its decision (`logins`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import Any, cast

from visado import errors
from visado.login_check import Accept, Decision, LoginCheck
from visado.plugins.calls import call_plugin
from visado.plugins.outcomes import are_methods, is_challenge, is_json
from visado.request import are_header_texts
from visado.strategy import Challenge, Fail, Pass


class LoginChecks:
    """The login checks, in the order of their plugins' names."""

    def __init__(self, unavailable: AbstractSet[str], disabled: AbstractSet[str]) -> None:
        self._unavailable, self._disabled = unavailable, disabled
        self._checks: dict[str, LoginCheck] = {}
        self._plugins: dict[str, str] = {}

    def add(self, check: Any, plugin: str = "") -> None:
        """Register a check. Raises `TypeError` for an object that is no check, `ValueError` for a taken name."""
        if not isinstance(check, LoginCheck):
            raise TypeError(f"a login check is needed, not {type(check).__name__}")
        if not isinstance(getattr(check, "name", None), str) or not check.name:
            raise TypeError("the name of a login check is a text")
        if not isinstance(cast("object", check.factor), (str, type(None))):
            raise TypeError(f"the factor of the login check {check.name!r} is no text")
        if self._checks.setdefault(check.name, check) is not check:
            raise ValueError(f"two login checks are called {check.name!r}")
        self._plugins[check.name] = plugin

    def drop(self, name: str) -> None:
        """Remove a check that was never opened, if it is registered. For the test kit, which replaces it."""
        self._checks.pop(name, None)

    def __iter__(self) -> Iterator[LoginCheck]:
        """Iterate over all checks, including those of unavailable plugins."""
        return iter(self._checks.values())

    def groups(self, after: LoginCheck | None = None) -> list[list[LoginCheck]]:
        """Return the checks of plugins that are not disabled, those of one factor together.

        With `after`, only the groups that follow the group of a check.
        """
        groups: dict[object, list[LoginCheck]] = {}
        for check in self:
            groups.setdefault(check if check.factor is None else check.factor, []).append(check)
        listed = list(groups.values())
        if after is not None:
            listed = listed[next(index for index, each in enumerate(listed) if after in each) + 1 :]
        return [
            enabled
            for each in listed
            if (enabled := [one for one in each if self._plugins[one.name] not in self._disabled])
        ]

    def alternatives(self, check: LoginCheck) -> list[LoginCheck]:
        """Return the other checks of a check's factor, except those of disabled plugins."""
        group = next((each for each in self.groups() if check in each), list[LoginCheck]())
        return [each for each in group if each is not check]

    def get_enabled(self, name: str) -> LoginCheck | None:
        """Return the check of a name, or None where there is none or its plugin is disabled."""
        check = self._checks.get(name)
        return None if check is None or self._plugins[name] in self._disabled else check

    async def decide(self, check: LoginCheck, call: Callable[[], Awaitable[Decision]]) -> Decision:
        """Call a method of a check, and return its decision.

        Raises `CheckOutOfService` where the check's plugin is quarantined: no login succeeds without the check.
        Raises `InvalidDecision` for a return value that is no decision, `CheckTimeout`, `PluginFailed`, and the
        `VisadoError` that the check raises.
        """
        if self._plugins[check.name] in self._unavailable:
            raise errors.CheckOutOfService(check=check.name)
        decision: Any = await _call(check, call)
        if not _is_decision(decision):  # a plugin's types are not checked before it runs
            raise errors.InvalidDecision(check=check.name)
        return cast("Decision", decision)

    async def forget(self, user_id: str) -> None:
        """Call `forget` of every check, including those of unavailable plugins, for a user who is being deleted."""
        for check in self:
            await _call(check, partial(check.forget, user_id))

    async def open(self, quarantine: Callable[[str, str], None]) -> None:
        """Open every check. `quarantine` is called with the plugin and the reason where one fails to open.

        Checks of disabled plugins are opened too: the plugin can be enabled while the host runs.
        """
        for check in self:
            try:
                await _call(check, check.open)
            except errors.VisadoError as error:
                quarantine(self._plugins[check.name], error.text)

    async def close(self) -> None:
        """Close every check; an error is only logged."""
        for check in self:
            with suppress(errors.VisadoError):
                await _call(check, check.close)


async def _call(check: LoginCheck, call: Callable[[], Awaitable[Any]]) -> Any:
    timeout_error = errors.CheckTimeout(check=check.name, seconds=check.timeout)
    return await call_plugin(f'the login check "{check.name}"', check.timeout, call, timeout_error)


def _is_decision(value: object) -> bool:
    """Return whether a plugin returned a decision that can be sent and stored."""
    match value:
        case Accept():
            return is_json(value.data) and are_methods(value.methods) and are_header_texts(value.cookies)
        case Fail():
            return are_header_texts(value.cookies) and are_header_texts(value.www_authenticate)
        case Challenge():
            return is_challenge(value)
        case Pass():
            return value.to is None
        case _:
            return False
