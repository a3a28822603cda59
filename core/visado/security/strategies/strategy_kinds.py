"""The registry of strategy kinds, from which administrators add strategies while the host runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError

from visado import errors
from visado.plugins.calls import call_plugin
from visado.request import Fields
from visado.security.strategies.limited_strategy import check_strategy
from visado.settings.loading import describe_errors
from visado.strategy import Strategy, StrategyKind

T = TypeVar("T")
KIND_SECONDS: Final = 10.0


class StrategyKinds:
    """The kinds of strategies by name."""

    def __init__(self, unavailable: AbstractSet[str]) -> None:
        self._unavailable = unavailable
        self._kinds: dict[str, tuple[StrategyKind, str]] = {}

    def add(self, kind: Any, plugin: str) -> None:
        """Register a kind. Raises `TypeError` for an object that is no kind, `ValueError` for a taken name."""
        if not isinstance(kind, StrategyKind):
            raise TypeError(f"a kind of strategy is needed, not {type(kind).__name__}")
        if not isinstance(getattr(kind, "name", None), str) or not _is_model(getattr(kind, "settings", None)):
            raise TypeError("a kind of strategy has a name, and a model of pydantic as its settings")
        other, other_plugin = self._kinds.setdefault(kind.name, (kind, plugin))
        if other is not kind:
            raise ValueError(f"the kind of strategy {kind.name!r} is declared by {other_plugin} and by {plugin}")

    @property
    def names(self) -> list[str]:
        """The names of the kinds, except those of unavailable plugins."""
        return [name for name, (_, plugin) in self._kinds.items() if plugin not in self._unavailable]

    def check_available(self, name: str) -> None:
        """Raise `StrategyRejected` unless a kind of this name is available."""
        if name not in self.names:
            raise self._unknown(name)

    def _unknown(self, name: str) -> errors.StrategyRejected:
        names = ", ".join(self.names) or "none is installed"
        return errors.StrategyRejected(reason=f"there is no kind of strategy {name!r} ({names})")

    async def build(self, kind_name: str, name: str, settings: Fields) -> tuple[Strategy, str]:
        """Build a strategy of a kind, which may be unavailable; return it and its plugin. It is not yet open.

        Raises `StrategyRejected` for invalid settings, `StrategyTimeout`, `PluginFailed`.
        """
        entry = self._kinds.get(kind_name)
        if entry is None:
            raise self._unknown(kind_name)
        kind, plugin = entry

        def build() -> Strategy:
            strategy: Any = kind.make(name, _parse(kind, settings))
            check_strategy(strategy)
            if strategy.name != name:
                raise TypeError("it made a strategy of another name")
            return cast("Strategy", strategy)

        return await _call(kind_name, build), plugin

    async def public_settings(self, kind_name: str, settings: Fields) -> Fields:
        """Return the settings as JSON, defaults too, without those that contain a secret. Raises as `build` does."""
        kind, _ = self._kinds[kind_name]
        return await _call(kind_name, lambda: _without_secrets(_parse(kind, settings)))

    async def mask_settings(self, kind_name: str, settings: Fields) -> Fields | None:
        """Return the settings that were set, secrets as asterisks; None for an unknown kind. Raises as `build` does."""
        entry = self._kinds.get(kind_name)
        if entry is None:
            return None
        kind, _ = entry
        return await _call(kind_name, lambda: _parse(kind, settings).model_dump(mode="json", exclude_unset=True))


def _without_secrets(model: BaseModel) -> Fields:
    secrets = {name for name in type(model).model_fields if _holds_secret(getattr(model, name))}
    return model.model_dump(mode="json", exclude=secrets)


def _holds_secret(value: object) -> bool:
    """Return whether a setting is secret, or contains something that is."""
    match value:
        case Secret() | SecretStr() | SecretBytes():
            return True
        case BaseModel():
            return any(_holds_secret(getattr(value, name)) for name in type(value).model_fields)
        case Mapping():
            return any(_holds_secret(each) for each in cast("Mapping[object, object]", value).values())
        case list() | tuple() | set() | frozenset():
            return any(_holds_secret(each) for each in cast("Iterable[object]", value))
        case _:
            return False


async def _call(kind_name: str, function: Callable[[], T]) -> T:
    async def call() -> T:
        return function()

    timeout_error = errors.StrategyTimeout(strategy=kind_name, seconds=KIND_SECONDS)
    return await call_plugin(f'the kind of strategy "{kind_name}"', KIND_SECONDS, call, timeout_error)


def _parse(kind: StrategyKind, settings: Fields) -> Any:
    try:
        return kind.settings.model_validate(settings)
    except ValidationError as error:
        raise errors.StrategyRejected(reason="; ".join(describe_errors(error, "settings"))) from None


def _is_model(settings: Any) -> bool:
    return isinstance(settings, type) and issubclass(settings, BaseModel)
