"""The settings of visado-audit: the section `[audit]`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field, field_validator

from visado import Milliseconds, Section, ServerSection, Settings

DAY_MS: Final = 86_400_000


class AuditSection(Section):
    """A log of logins, refusals and changes, in which each record holds the hash of the record before."""

    name: ClassVar[str] = "audit"
    path: Path | None = Field(
        None, description="Current file of the log; by default audit/audit.jsonl in the data folder."
    )
    required: bool = Field(
        False, description="Refuse requests whose events cannot be recorded (503): no login without a record."
    )
    sync: bool = Field(
        True, description="Respond when the record is on the disk: a power cut loses no acknowledged record."
    )
    key_file: Path | None = Field(
        None,
        description="File with a secret of 32 bytes or more, the key of the hash chain. "
        "The host makes it if neither the file nor a log exists.",
    )
    rotate_size: int = Field(
        64 << 20, ge=4096, description="Size of a file, in bytes, after which a new one is started."
    )
    rotate_after: Milliseconds = Field(
        DAY_MS, ge=1000, description="Age of a file's first record after which a new file is started."
    )
    keep: int = Field(0, ge=0, description="Number of full files to keep beside the current one; 0: all.")

    @field_validator("path")
    @classmethod
    def _has_suffix(cls, value: Path | None) -> Path | None:
        if value is not None and not value.suffix:
            raise ValueError("a file with an extension, such as audit.jsonl: the names of other files derive from it")
        return value


def log_path(settings: Settings) -> Path:
    """Return the path of the log's current file."""
    return settings[AuditSection].path or settings[ServerSection].data / "audit" / "audit.jsonl"
