"""Fenced blocks of the documents: reads them, and runs those that are marked.

Words after the language of a block mark it; renderers do not show them:

    sh serve          start the host, or restart it
    sh run            run in bash, in the order of the document; must succeed, unless `errors` follows
    sh socket         send the JSON in single quotes over a WebSocket
    sh application    start an ASGI server on port 8000 in the background; the previous one is stopped
    sh fresh          run in bash with every installed package but visado's: for new environments
    json output       the standard output of the previous block; `text output` likewise
    text errors       the standard error of the previous block, which must fail
    toml file=PATH    the content of a file, in any language
    python plugin=X   a module that is installed as the plugin X
    python same=PATH  the content of a file that an earlier command has written
    toml other        must be well-formed; it holds no settings
    python signature  a hook, as `visado.hookspecs` declares it
    json check        must be well-formed, and is not run; `toml check`, `python check` and `sh check` likewise

`<!-- input: a | b -->` above a block gives it lines of standard input. In a block, `<token>` stands for the last token
that a response contained, `<key>` for the last API key, `<reference>` for the last reference of a challenge, 7512 for the
port of the host, and 8000 for the port of the application.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from websockets.sync.client import connect

from tests.ports import free_port
from tests.waiting import listens, until
from visado_kit.live import LiveHost

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
START_SECONDS = 30
INPUT = re.compile(r"<!-- input: (.*?) -->\s*\Z")
SEEN = {
    "<token>": re.compile(r"kauth-[\w.-]+"),
    "<key>": re.compile(r"kapikey-[\w.-]+"),
    "<reference>": re.compile(r"klogin-[\w-]+"),
}
VOLATILE = [
    (re.compile(r"k(?:auth|apikey)-[\w.…-]+"), "<token>"),
    (re.compile(r"k(?:uid|node)-[a-z]+-[a-z]+-\d+"), "<name>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"klogin-[\w-]+"), "<reference>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\b1[0-9]{12}\b"), "0"),
    (re.compile(r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT"), "<date>"),
    (re.compile(r"process \d+"), "process <id>"),
    (re.compile(r"'/[^'\n]+\.py'"), "<path>"),
    (re.compile(r"(?:127\.0\.0\.1|localhost):\d+"), "<address>"),
    (re.compile(r"\d+\.\d{3}\b"), "<seconds>"),
]


@dataclass
class Block:
    """One fenced block."""

    language: str
    words: list[str]
    text: str
    line: int
    input: list[str] = field(default_factory=list)
    output: str | None = None
    errors: str | None = None

    def named(self, key):
        return next((word.removeprefix(key) for word in self.words if word.startswith(key)), None)


def blocks(document: Path) -> list[Block]:
    """Return the blocks of a document, each with the output that follows it."""
    text = document.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in FENCE.finditer(text):
        given = INPUT.search(text[: match.start()])
        words = (match[2] or "").split()
        if "output" in words:
            found[-1].output = match[3]
        elif "errors" in words:
            found[-1].errors = match[3]
        else:
            lines = given[1].split(" | ") if given else []
            found.append(Block(match[1], words, match[3], text[: match.start()].count("\n") + 1, lines))
    return found


def settled(text: str) -> str:
    """Return the text without values that differ between runs; JSON in one format."""
    with suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


class Reader:
    """Runs the blocks of a document in a folder, with a host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        self._host: LiveHost | None = None
        self._application: Application | None = None
        self._seen: dict[str, str] = {}
        self._plugins: list[str] = []
        self._kept = folder / "variables"
        self._kept.touch()
        (folder / ".venv").symlink_to(sys.prefix)
        path = f"{self.packages}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": path,
            # `pip install ...` installs into the folder, without the network.
            "PIP_TARGET": str(self.packages),
            "PIP_UPGRADE": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for each in ("core", "plugins"):
            (folder / each).symlink_to(ROOT / each)

    def follow(self, document: Path) -> None:
        """Run every marked block, in order. Raises if a result differs from the document."""
        for block in blocks(document):
            try:
                self._run(block)
            except BaseException as error:
                error.add_note(f"{document.name}:{block.line}:\n{block.text}")
                raise

    def stop(self) -> None:
        if self._host is not None:
            self._host.stop()
        if self._application is not None:
            self._application.stop()

    def _run(self, block: Block) -> None:
        if path := block.named("file="):
            _write(self.folder / path, block.text)
        if plugin := block.named("plugin="):
            self.install(plugin, block.text)
        if "serve" in block.words:
            self._serve()
        elif "application" in block.words:
            self._start(block)
        elif "socket" in block.words:
            self._compare(block, self._send(block), "", failed=False)
        elif {"run", "fresh"} & {*block.words}:
            done = self.bash(block.text, block.input, fresh="fresh" in block.words)
            self._compare(block, done.stdout, done.stderr, failed=done.returncode != 0)
        elif path := block.named("same="):
            assert (self.folder / path).read_text(encoding="utf-8") == block.text

    def install(self, plugin: str, source: str) -> None:
        """Install a module as a plugin of the package `hooks`."""
        self._plugins.append(plugin)
        _write(self.packages / f"{plugin}.py", source)
        info = self.packages / "hooks-1.0.dist-info"
        _write(info / "METADATA", "Metadata-Version: 2.1\nName: hooks\nVersion: 1.0\n")
        _write(info / "entry_points.txt", "\n".join(["[visado]", *(f"{each} = {each}" for each in self._plugins)]))

    def _serve(self) -> None:
        if self._host is not None:
            self._host.stop()
        settings = self.folder / "visado.toml"
        config = settings.read_text() if settings.exists() else ""
        self._host = LiveHost(self.folder, config=config, environment=self._environment).start()

    def _start(self, block: Block) -> None:
        if self._application is not None:
            self._application.stop()
        self._application = Application(block.text, self.folder, os.environ | self._environment)

    def _filled(self, text: str) -> str:
        for name, value in self._seen.items():
            text = text.replace(name, value)
        for port, server in (("7512", self._host), ("8000", self._application)):
            if server is not None:
                text = re.sub(rf"\b{port}\b", str(server.port), text)
        return text

    def bash(
        self, text: str, given: list[str] | None = None, *, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run commands, with lines of standard input."""
        before, after = f"source {self._kept}", f"export -p | grep -v VISADO_URL >{self._kept}"
        if fresh:
            before, after = "unset PIP_TARGET PIP_UPGRADE", ""
        script = f"{before}\nset -ea\n{self._filled(text)}\n{after}"
        url = {"VISADO_URL": self._host.url} if self._host else {}
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=os.environ | self._environment | url | (self._bare() if fresh else {}),
            input="".join(f"{line}\n" for line in given or ()),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
            start_new_session=True,  # without a terminal, a prompt reads standard input
        )

    def _bare(self) -> dict[str, str]:
        """Return the variables of an environment with every installed package but visado's."""
        others = self.folder / "others"
        if not others.exists():
            others.mkdir()
            for each in Path(sysconfig.get_path("purelib")).iterdir():
                if each.suffix != ".pth" and not each.name.startswith(("visado", "_visado", "pip")):
                    (others / each.name).symlink_to(each)
        return {"PYTHONPATH": str(others)}

    def _send(self, block: Block) -> str:
        payload = re.search(r"'(\{.*\})'", block.text, re.DOTALL)[1]
        with connect(self._host.url.replace("http", "ws"), proxy=None) as connection:
            connection.send(self._filled(payload))
            return connection.recv(timeout=10)

    def _compare(self, block: Block, output: str, errors: str, *, failed: bool) -> None:
        for name, pattern in SEEN.items():
            found = pattern.findall(output)
            if found:
                self._seen[name] = found[-1]
        assert failed == (block.errors is not None), f"{output}\n{errors}"
        for said, done in ((block.output, output), (block.errors, errors)):
            if said is not None:
                assert settled(done) == settled(said), f"instead:\n{done}\n{errors}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


class Application:
    """An ASGI server in the background, as a document starts it; on a free port in place of 8000."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        command = re.sub(r"\b8000\b", str(self.port), command)
        with (folder / "application.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=folder, env=environment, stdout=log, stderr=log
            )
        self._log = folder / "application.log"
        until(self._listens, seconds=START_SECONDS, why=self._log.read_text)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        return listens("127.0.0.1", self.port)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)
