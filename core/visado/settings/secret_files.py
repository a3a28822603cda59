"""Secrets that nobody chose: made on the first start, and kept in a file that only this user may read."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

SHORTEST_SECRET: Final = 32


def read_secret(file: Path) -> str:
    """Read a secret, or on the first start make one: whole or not at all. Raises `OSError`, `ValueError`."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(64))
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):  # another start was quicker: its secret stands
            os.link(draft, file)
        draft.unlink()
    text = file.read_text().strip()
    if len(text) < SHORTEST_SECRET:
        raise ValueError(f"{file} holds no secret: put back the one that was there, or remove the file")
    return text
