"""Kuzzle's JavaScript client, from npm, answers a challenge with `auth.login`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.node import install

from .conftest import PASSWORD

FOLDER = Path(__file__).parents[2] / "sdk"
PROGRAM = """
import client from "kuzzle-sdk";
const [port, protocol, username, password, code] = process.argv.slice(2);
const kuzzle = new client.Kuzzle(new client[protocol]("127.0.0.1", { port: Number(port) }));
await kuzzle.connect();
const error = await kuzzle.auth.login("local", { username, password }).catch((reason) => reason);
const [, check, challenge] = error.props;
await kuzzle.auth.login("local", { challenge, code });
const user = await kuzzle.auth.getCurrentUser();
console.log(error.id, check, user._id);
kuzzle.disconnect();
"""


def test_the_official_client_answers_a_challenge(door, name):
    node, protocol = install(FOLDER, "Kuzzle's client"), {"http": "Http", "websocket": "WebSocket"}[door.transport]
    phone, _, _ = door.enrolled(name)
    words = [node, "--input-type=module", "-", str(door.host.port), protocol, name, PASSWORD, phone.code()]
    done = subprocess.run(words, cwd=FOLDER, input=PROGRAM, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["security.login.challenged", "totp", name], done.stderr
