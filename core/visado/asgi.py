"""`uvicorn visado.asgi:app`: the application for any ASGI server.

Its settings come from the TOML file that the variable `VISADO_CONFIG` names (`./visado.toml` where it is not set and
that file exists), from the folder of secret files that `VISADO_SECRETS` names, and from `VISADO_*` variables.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from visado.app import Visado, create_app
from visado.plugins.manager import StartError
from visado.settings.loading import SettingsError

_CONFIG: Final = Path("visado.toml")


class LazyApplication:
    """Makes the application when a server first calls it: importing this module reads no settings."""

    def __init__(self) -> None:
        self._app: Visado | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the call on to the application. Wrong settings fail the server's start with their text."""
        if self._app is None:
            try:
                self._app = _create()
            except (SettingsError, StartError) as error:
                if scope["type"] != "lifespan":
                    raise
                await receive()
                await send({"type": "lifespan.startup.failed", "message": f"visado: {error}"})
                return
        await self._app(scope, receive, send)


def _create() -> Visado:
    config, secrets = os.environ.get("VISADO_CONFIG"), os.environ.get("VISADO_SECRETS")
    found = Path(config) if config else _CONFIG if _CONFIG.is_file() else None
    return create_app(config=found, secrets=Path(secrets) if secrets else None)


app = LazyApplication()
