"""The settings of visado-htpasswd: the section `[htpasswd]`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from visado import Section


class HtpasswdSection(Section):
    """Names and passwords of an Apache htpasswd file."""

    name: ClassVar[str] = "htpasswd"
    file: Path | None = Field(
        None, description="Path of the file, with lines of name:hash as `htpasswd -B` writes them."
    )
    auto_create: bool = Field(False, description="Create a user at the first login with a name that no user has.")
    profiles: tuple[str, ...] = Field(("default",), min_length=1, description="Profiles of the created users.")
