"""Settings: one frozen section per room of the host and per plugin, read once, complained about at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as PydanticSettingsError,
)
from typing_extensions import override


class Section(BaseModel):
    """One table of settings. Subclasses set `name`, the table's name, and declare fields with defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: ClassVar[str]


S = TypeVar("S", bound=Section)


class SettingsError(Exception):
    """Some settings are wrong. The text lists each with its path, and never a value."""


class Settings:
    """The sections, by their class: `settings[SecuritySection].preset`."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self._sections: dict[type[Section], Section] = {type(section): section for section in sections}

    def __getitem__(self, section: type[S]) -> S:
        return cast("S", self._sections[section])

    def classes(self) -> Iterable[type[Section]]:
        """The declarations of the sections."""
        return self._sections.keys()

    def public(self) -> dict[str, Any]:
        """Every setting by section name, secrets as stars."""
        return {section.name: section.model_dump(mode="json") for section in self._sections.values()}


def load(
    sections: Iterable[type[Section]],
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    rest: Literal["forbid", "ignore"] = "forbid",
    away: Iterable[str] = (),
) -> Settings:
    """Read every section: from `given`, then `VISADO_<SECTION>__<KEY>`, secret files, the TOML file, defaults.

    `rest` says what about tables that no section declares; those `away` may stand there.
    Raises `SettingsError` with all that is wrong.
    """
    declared: dict[str, type[Section]] = {}
    for section in sections:
        other = declared.setdefault(section.name, section)
        if other is not section:
            raise SettingsError(f"[{section.name}]: declared by {_place(other)} and by {_place(section)}")
    if config is not None and not config.is_file():
        raise SettingsError(f"{config}: no such file")
    if secrets is not None and not secrets.is_dir():
        raise SettingsError(f"{secrets}: no such folder of secret files")
    if rest == "forbid":
        _check_environment({*declared, *away})
    fields: dict[str, Any] = {
        name: (section, Field(default={}, validate_default=True)) for name, section in declared.items()
    }
    fields |= {name: (Any, None) for name in away if name not in declared}
    try:
        root = create_model("Settings", __base__=_root(rest, given or {}, secrets, config), **fields)()
    except ValidationError as error:
        raise SettingsError(_report(error, config)) from None
    except PydanticSettingsError:
        names = [name for name in sorted(os.environ) if _table_of(name) in declared]
        keys = ", ".join(f"{name.removeprefix(_PREFIX).lower().replace('__', '.')} ({name})" for name in names)
        raise SettingsError(f"one of {keys}: a list or a table is written as JSON") from None
    except Exception as error:  # a TOML file that is none
        raise SettingsError(f"{config or 'settings'}: {type(error).__name__}: {_position(error)}") from None
    return Settings(getattr(root, name) for name in declared)


def _root(
    rest: Literal["forbid", "ignore"],
    given: Mapping[str, Mapping[str, Any]],
    secrets: Path | None,
    config: Path | None,
) -> type[BaseSettings]:
    """Make the model that joins the sections, with its sources in the order of their weight."""

    class Root(BaseSettings):
        model_config = SettingsConfigDict(
            extra=rest, env_prefix=_PREFIX, env_nested_delimiter="__", hide_input_in_errors=True
        )

        @classmethod
        @override
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources: list[PydanticBaseSettingsSource] = [
                InitSettingsSource(settings_cls, dict(given)),
                EnvSettingsSource(settings_cls),
            ]
            if secrets is not None:
                nested = NestedSecretsSettingsSource(
                    file_secret_settings, secrets_dir=secrets, secrets_nested_delimiter="__", secrets_prefix=""
                )
                sources.append(nested)
            if config is not None:
                sources.append(TomlConfigSettingsSource(settings_cls, config))
            return tuple(sources)

    return Root


_PREFIX = "VISADO_"


def _check_environment(known: set[str]) -> None:
    """Refuse variables of tables that nobody declares: a misspelt name would be ignored in silence."""
    for name in sorted(os.environ):
        table = _table_of(name)
        if table and "__" in name and table not in known:
            raise SettingsError(f"{name}: there is no table [{table}]")


def _table_of(variable: str) -> str:
    found, prefix, rest = variable.partition(_PREFIX)
    return rest.lower().partition("__")[0] if prefix and not found else ""


def _position(error: Exception) -> str:
    """Say where a file is wrong, but nothing of what it holds."""
    found = re.search(r"line \d+(, column \d+)?", str(error))
    return found[0] if found else "it cannot be read"


def _place(section: type[Section]) -> str:
    return f"{section.__module__}.{section.__qualname__}"


def _report(error: ValidationError, config: Path | None) -> str:
    lines = sorted(complaints(error))
    return "\n".join([f"The settings are wrong ({config or 'no file'}, VISADO_* variables):", *lines])


def complaints(error: ValidationError, *place: str) -> list[str]:
    """Say what is wrong, each with its path, and never a value."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [f"{'.'.join(str(part) for part in (*place, *item['loc']))}: {item['msg']}" for item in found]
