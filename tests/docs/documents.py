"""Reading the documents: their fenced blocks, and playing those that are marked.

A block is marked by words after its language, which renderers do not show:

    sh serve          start the host, or stop it and start it again
    sh run            run in bash, in the order of the document; must succeed, unless `errors` follows
    sh socket         send the JSON in its quotes over a WebSocket
    sh fresh          run in bash with the packages of others at hand, and nothing of visado's: for new environments
    json output       what the block before writes to standard output; `text output` likewise
    text errors       what it writes to standard error; it must then fail
    toml file=PATH    the content of a file, in any language
    python plugin=X   a module that is the plugin X, installed when it is read
    python same=PATH  what a file holds that a command before has written
    toml other        well-formed: it holds no settings
    python signature  a hook, as `visado.hookspecs` declares it
    json check        well-formed, though nobody runs it; `toml check`, `python check` and `sh check` likewise

`<!-- input: a | b -->` above a block gives it lines of standard input. `<token>` in a block stands for the last
token that was seen, `<key>` for the last API key, `<reference>` for that of the last challenge, 7512 for the port of
the host.
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

from visado_kit.live import LiveHost

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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
    """The blocks of a document, each with the output that is written under it."""
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
    """A text without what differs from run to run; JSON in one form."""
    with suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


class Reader:
    """Somebody who follows a document to the letter, in a folder, with a host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        self._host: LiveHost | None = None
        self._seen: dict[str, str] = {}
        self._plugins: list[str] = []
        self._kept = folder / "variables"
        self._kept.touch()
        (folder / ".venv").symlink_to(sys.prefix)
        path = f"{self.packages}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": path,
            # `pip install ...` puts packages beside, and asks no network.
            "PIP_TARGET": str(self.packages),
            "PIP_UPGRADE": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for each in ("core", "plugins"):
            (folder / each).symlink_to(ROOT / each)

    def follow(self, document: Path) -> None:
        """Play every marked block, in order. Raises where something else happens than the document says."""
        for block in blocks(document):
            with self._told(document, block):
                self._play(block)

    def stop(self) -> None:
        if self._host is not None:
            self._host.stop()

    def _told(self, document, block):
        return _Told(f"{document.name}:{block.line}:\n{block.text}")

    def _play(self, block: Block) -> None:
        if path := block.named("file="):
            _write(self.folder / path, block.text)
        if plugin := block.named("plugin="):
            self.install(plugin, block.text)
        if "serve" in block.words:
            self._serve()
        elif "socket" in block.words:
            self._compare(block, self._send(block), "", failed=False)
        elif {"run", "fresh"} & {*block.words}:
            done = self.bash(block.text, block.input, fresh="fresh" in block.words)
            self._compare(block, done.stdout, done.stderr, failed=done.returncode != 0)
        elif path := block.named("same="):
            assert (self.folder / path).read_text(encoding="utf-8") == block.text

    def install(self, plugin: str, source: str) -> None:
        """Put a module beside, as a plugin of the package `hooks`."""
        self._plugins.append(plugin)
        _write(self.packages / f"{plugin}.py", source)
        info = self.packages / "hooks-1.0.dist-info"
        _write(info / "METADATA", "Metadata-Version: 2.1\nName: hooks\nVersion: 1.0\n")
        _write(info / "entry_points.txt", "\n".join(["[visado]", *(f"{each} = {each}" for each in self._plugins)]))

    def _serve(self) -> None:
        self.stop()
        settings = self.folder / "visado.toml"
        config = settings.read_text() if settings.exists() else ""
        self._host = LiveHost(self.folder, config=config, environment=self._environment).start()

    def _written(self, text: str) -> str:
        for name, value in self._seen.items():
            text = text.replace(name, value)
        return re.sub(r"\b7512\b", str(self._host.port), text) if self._host else text

    def bash(
        self, text: str, given: list[str] | None = None, *, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run commands, with lines of standard input."""
        before, after = f"source {self._kept}", f"export -p | grep -v VISADO_URL >{self._kept}"
        if fresh:
            before, after = "unset PIP_TARGET PIP_UPGRADE", ""
        script = f"{before}\nset -ea\n{self._written(text)}\n{after}"
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
        """What a new environment would get from an index: every package but visado's own."""
        others = self.folder / "others"
        if not others.exists():
            others.mkdir()
            for each in Path(sysconfig.get_path("purelib")).iterdir():
                if each.suffix != ".pth" and not each.name.startswith(("visado", "_visado", "pip")):
                    (others / each.name).symlink_to(each)
        return {"PYTHONPATH": str(others)}

    def _send(self, block: Block) -> str:
        payload = re.search(r"'(\{.*\})'", block.text, re.DOTALL)[1]
        with connect(self._host.url.replace("http", "ws"), proxy=None) as socket:
            socket.send(self._written(payload))
            return socket.recv(timeout=10)

    def _compare(self, block: Block, output: str, errors: str, *, failed: bool) -> None:
        for name, pattern in SEEN.items():
            found = pattern.findall(output)
            if found:
                self._seen[name] = found[-1]
        assert failed == (block.errors is not None), f"{output}\n{errors}"
        for said, done in ((block.output, output), (block.errors, errors)):
            if said is not None:
                assert settled(done) == settled(said), f"what it did:\n{done}\n{errors}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


class _Told:
    """Adds to an error which block it was."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            error.add_note(self._where)
