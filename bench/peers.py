"""Whom visado is measured beside: installed under `.cache/`, pinned, never into the project's own environment."""

from __future__ import annotations

import filecmp
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import jwt
from servers import Server, start

PINS = Path(__file__).with_name("peers")
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "bench"
PYTHON = CACHE / "python" / "bin" / "python"
NODE = CACHE / "node"
SECRET = secrets.token_hex(32)
USER = "5b1e2d3c-8f64-4c0e-9d27-0a6f1c9b7e42"
OPTIONS = ["--host", "127.0.0.1", "--port", "{port}", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
SOCKETS = ["--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--ws-ping-interval", "86400"]
SHARED = ("uvicorn", "httptools", "uvloop", "starlette", "pyjwt", "websockets")


@dataclass(frozen=True)
class Peer:
    """A server that says who somebody is: an ASGI module, or a program of Node."""

    name: str
    file: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_node(self) -> bool:
        return self.file.endswith(".js")

    def start(self) -> Server:
        given = {"BENCH_SECRET": SECRET, "BENCH_USER": USER, "LOG_LEVEL": "warning", **self.environment}
        log = CACHE / f"{self.file}.log"
        log.unlink(missing_ok=True)
        if self.in_node:
            return start(self.name, ["node", str(NODE / self.file)], environment=given, log=log)
        database = CACHE / "users.sqlite"
        database.unlink(missing_ok=True)
        given["BENCH_DATABASE"] = str(database)
        module = [f"{self.file.removesuffix('.py')}:app", "--app-dir", str(PINS), "--log-level", "warning"]
        return start(self.name, [str(PYTHON), "-m", "uvicorn", *module, *OPTIONS], environment=given, log=log)


CACHED = {"BENCH_CACHE": "1"}
PEERS = (
    Peer("Starlette + PyJWT", "starlette_jwt.py"),
    Peer("Starlette + PyJWT, verified tokens remembered", "starlette_jwt.py", CACHED),
    Peer("fastapi-users (JWT, SQLAlchemy, aiosqlite)", "fastapi_users_jwt.py"),
    Peer("express + passport-jwt", "express_passport.js", {"NODE_ENV": "production"}),
    Peer("fastify + @fastify/jwt", "fastify_jwt.js"),
    Peer("fastify + @fastify/jwt, verified tokens remembered", "fastify_jwt.js", CACHED),
)


def bare(answer: bytes) -> Server:
    """Start the bare ASGI callable, with this answer over HTTP."""
    command = [str(PYTHON), "-m", "uvicorn", "bare:app", "--app-dir", str(PINS), "--log-level", "warning"]
    return start("bare ASGI", [*command, *OPTIONS, *SOCKETS], environment={"BENCH_ANSWER": answer.decode()})


def token() -> str:
    """Make a token that every peer takes, in the size of visado's."""
    now = int(time.time())
    claims = {"sub": USER, "iat": now, "exp": now + 3_600, "jti": secrets.token_hex(8), "aud": "fastapi-users:auth"}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def prepare() -> list[str]:
    """Install what is not there yet; return what is missing, by name."""
    CACHE.mkdir(parents=True, exist_ok=True)
    pins = PINS / "requirements.txt"
    if not _same(pins, CACHE / "python" / pins.name):
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE / "python"], check=True)
        subprocess.run([PYTHON, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "-r", pins], check=True)
        shutil.copy(pins, CACHE / "python")
    missing = [f"{name}: the peers have {theirs}, visado {ours}" for name, theirs, ours in _differing(pins)]
    if not _has_node():
        return [*missing, *(f"node and npm: no {peer.name}" for peer in PEERS if peer.in_node)]
    if not _same(PINS / "package-lock.json", NODE / "installed.json"):
        NODE.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINS / name, NODE)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True)
        shutil.copy(PINS / "package-lock.json", NODE / "installed.json")
    for program in PINS.glob("*.js"):  # they look for their modules beside them
        shutil.copy(program, NODE)
    return missing


def available() -> list[Peer]:
    """The peers that can be started here."""
    return [peer for peer in PEERS if not peer.in_node or _has_node()]


def _has_node() -> bool:
    return bool(shutil.which("node") and shutil.which("npm"))


def _same(pins: Path, installed: Path) -> bool:
    return installed.exists() and filecmp.cmp(pins, installed, shallow=False)


def _differing(pins: Path) -> list[tuple[str, str, str]]:
    """What visado and its peers both stand on, and not in the same version."""
    lines = [line.partition("==") for line in pins.read_text().splitlines() if "==" in line]
    theirs = {name.lower(): number for name, _, number in lines}
    return [(name, theirs[name], version(name)) for name in SHARED if theirs[name] != version(name)]
