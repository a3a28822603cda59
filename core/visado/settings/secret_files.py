"""Generated secrets: created at the first start, in a file that only the host's user can read."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

MIN_SECRET_BYTES: Final = 32
_GENERATED_SECRET_BYTES: Final = 64


def read_secret(file: Path) -> str:
    """Return the secret in a file, which is created with a random secret if it does not exist.

    Several hosts that start at once get the same secret. Raises `OSError`, and `ValueError` for a file that holds no
    secret.
    """
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(_GENERATED_SECRET_BYTES))
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):  # another host has just created the file: its secret is used
            os.link(draft, file)
        draft.unlink()
    text = file.read_text().strip()
    if len(text) < MIN_SECRET_BYTES:
        raise ValueError(f"{file} holds no secret: put back the one that was there, or remove the file")
    return text
