"""The reading of settings from arguments, environment variables, secret files and a TOML file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, TypeVar, cast

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

_PREFIX: Final = "VISADO_"
_DELIMITER: Final = "__"
_PYDANTIC_PREFIX: Final = "Value error, "
"""What pydantic writes before the message of a validator."""


class Section(BaseModel):
    """A table of settings. Subclasses set `name`, the table's name, and declare fields that all have a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: ClassVar[str]


S = TypeVar("S", bound=Section)


class SettingsError(Exception):
    """Settings are invalid. The text lists every error with the path of its setting, and contains no value."""


class Settings:
    """The sections, by their class: `settings[SecuritySection].preset`."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self._sections: dict[type[Section], Section] = {type(section): section for section in sections}

    def __getitem__(self, section: type[S]) -> S:
        return cast("S", self._sections[section])

    def classes(self) -> Iterable[type[Section]]:
        """Return the classes of the sections."""
        return self._sections.keys()

    def public(self) -> dict[str, Any]:
        """Return every setting by section name. Secrets are replaced with asterisks."""
        return {section.name: section.model_dump(mode="json") for section in self._sections.values()}


def load(
    sections: Iterable[type[Section]],
    *,
    config: Path | None = None,
    secrets: Path | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    undeclared: Literal["forbid", "ignore"] = "forbid",
    unavailable: Iterable[str] = (),
) -> Settings:
    """Read the settings of every section.

    A setting is taken from the first of these that has it: `given`, the variable `VISADO_<SECTION>__<KEY>`, a file in
    the folder `secrets`, the TOML file `config`, the default. `undeclared` says how tables without a section are
    treated; the tables `unavailable`, of plugins that are not loaded, are always ignored.

    Raises `SettingsError` with all errors at once.
    """
    declared = _by_name(sections)
    if config is not None and not config.is_file():
        raise SettingsError(f"{config}: no such file")
    if secrets is not None and not secrets.is_dir():
        raise SettingsError(f"{secrets}: no such folder of secret files")
    if undeclared == "forbid":
        _check_environment({*declared, *unavailable})
    fields: dict[str, Any] = {
        name: (section, Field(default={}, validate_default=True)) for name, section in declared.items()
    }
    fields |= {name: (Any, None) for name in unavailable if name not in declared}
    try:
        root = create_model("Settings", __base__=_root(undeclared, given or {}, secrets, config), **fields)()
    except ValidationError as error:
        raise SettingsError(_report(error, config)) from None
    except PydanticSettingsError:
        raise SettingsError(_report_json(declared)) from None
    except Exception as error:  # the TOML file cannot be parsed
        raise SettingsError(f"{config or 'settings'}: {type(error).__name__}: {_position(error)}") from None
    return Settings(getattr(root, name) for name in declared)


def _by_name(sections: Iterable[type[Section]]) -> dict[str, type[Section]]:
    declared: dict[str, type[Section]] = {}
    for section in sections:
        other = declared.setdefault(section.name, section)
        if other is not section:
            raise SettingsError(f"[{section.name}]: declared by {_source(other)} and by {_source(section)}")
    return declared


def _root(
    undeclared: Literal["forbid", "ignore"],
    given: Mapping[str, Mapping[str, Any]],
    secrets: Path | None,
    config: Path | None,
) -> type[BaseSettings]:
    """Return the base class of the model that joins the sections. It has the sources, in the order of precedence."""

    class Root(BaseSettings):
        model_config = SettingsConfigDict(
            extra=undeclared, env_prefix=_PREFIX, env_nested_delimiter=_DELIMITER, hide_input_in_errors=True
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
                    file_secret_settings, secrets_dir=secrets, secrets_nested_delimiter=_DELIMITER, secrets_prefix=""
                )
                sources.append(nested)
            if config is not None:
                sources.append(TomlConfigSettingsSource(settings_cls, config))
            return tuple(sources)

    return Root


def _check_environment(tables: set[str]) -> None:
    """Raise `SettingsError` for a variable of an unknown table, which pydantic-settings would ignore silently."""
    for variable in sorted(os.environ):
        table = _table_of(variable)
        if table and _DELIMITER in variable and table not in tables:
            raise SettingsError(f"{variable}: unknown table [{table}]")


def _table_of(variable: str) -> str:
    """Return the table that an environment variable names, or an empty text for a variable without the prefix."""
    before, prefix, path = variable.partition(_PREFIX)
    return path.lower().partition(_DELIMITER)[0] if prefix and not before else ""


def _position(error: Exception) -> str:
    """Return the line and column from the message of a parser, and nothing that the file contains."""
    match = re.search(r"line \d+(, column \d+)?", str(error))
    return match[0] if match else "it cannot be read"


def _source(section: type[Section]) -> str:
    return f"{section.__module__}.{section.__qualname__}"


def _report(error: ValidationError, config: Path | None) -> str:
    lines = sorted(describe_errors(error))
    return "\n".join([f"The settings are wrong ({config or 'no file'}, VISADO_* variables):", *lines])


def _report_json(declared: Iterable[str]) -> str:
    """Return the report of a variable whose value is not JSON; pydantic-settings does not name the variable."""
    names = [name for name in sorted(os.environ) if _table_of(name) in declared]
    keys = ", ".join(f"{name.removeprefix(_PREFIX).lower().replace(_DELIMITER, '.')} ({name})" for name in names)
    return f"one of {keys}: a list or a table is written as JSON"


def describe_errors(error: ValidationError, *path: str) -> list[str]:
    """Return the errors of a validation, each with the path of its setting below `path`, and without any value."""
    items = error.errors(include_input=False, include_url=False, include_context=False)
    return [
        f"{'.'.join(str(part) for part in (*path, *item['loc']))}: {item['msg'].removeprefix(_PYDANTIC_PREFIX)}"
        for item in items
    ]
