"""The catalogue: records of providers, a TOML file each, in this package or in the operator's folder."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from visado_oauth.errors import ProviderMisconfigured
from visado_oauth.providers.record_schema import ProviderRecord

_RECORDS: Final = files("visado_oauth.providers") / "records"


def record_names(folder: Path | None = None) -> list[str]:
    """Return the names of all records, those of the operator's folder included."""
    own = [each.name for each in _RECORDS.iterdir()]
    operators = [each.name for each in folder.iterdir()] if folder is not None and folder.is_dir() else []
    return sorted({name.removesuffix(".toml") for name in (*own, *operators) if name.endswith(".toml")})


def find_record(name: str, folder: Path | None = None) -> ProviderRecord:
    """Return a record; the operator's replaces the package's of the same name. Raises `ProviderMisconfigured`."""
    if name not in record_names(folder):
        raise ProviderMisconfigured(f"the catalogue has no {name!r}: visado oauth:providers lists it")
    file = folder / f"{name}.toml" if folder is not None else None
    text = file.read_text() if file is not None and file.is_file() else (_RECORDS / f"{name}.toml").read_text()
    try:
        return ProviderRecord.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ProviderMisconfigured(f"the record {name}.toml is not valid: {key}: {first['msg']}") from None
    except tomllib.TOMLDecodeError as error:
        raise ProviderMisconfigured(f"the record {name}.toml is not TOML: {error}") from None
