"""The settings of the audit log: `[audit]`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field, field_validator

from visado import Milliseconds, Section, ServerSection, Settings

_DAY: Final = 86_400_000


class AuditSection(Section):
    """A log of what happens: logins, refusals, changes."""

    name: ClassVar[str] = "audit"
    path: Path | None = Field(None, description="The file; audit/audit.jsonl in the data folder if absent.")
    required: bool = Field(
        False, description="Answer 503 to what cannot be recorded: nobody gets a token without a record."
    )
    sync: bool = Field(True, description="Answer once the disk holds the record: it outlives a power cut.")
    key_file: Path | None = Field(
        None, description="A secret of 32 bytes or more that keys the chain; made where neither it nor a log exists."
    )
    rotate_size: int = Field(64 << 20, ge=4096, description="Bytes after which a new file is begun.")
    rotate_after: Milliseconds = Field(
        _DAY, ge=1000, description="Age of a file's first record after which a new file is begun."
    )
    keep: int = Field(0, ge=0, description="How many files to keep beside the present one; 0: all.")

    @field_validator("path")
    @classmethod
    def _is_named(cls, value: Path | None) -> Path | None:
        if value is not None and not value.suffix:
            raise ValueError("a file with an extension, such as audit.jsonl: other files are named after it")
        return value


def path_of(settings: Settings) -> Path:
    """Say where the log is."""
    return settings[AuditSection].path or settings[ServerSection].data / "audit" / "audit.jsonl"
