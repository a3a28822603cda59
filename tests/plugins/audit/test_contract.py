from __future__ import annotations

import json
from pathlib import Path

from visado_kit import ObserverContract


class TestAudit(ObserverContract):
    def make(self, host):
        return next(observer for plugin, observer in host.security.observers if plugin == "audit")

    async def heard(self, harness):
        data = Path(harness.host.settings.public()["server"]["data"])
        records = [json.loads(line) for line in (data / "audit" / "audit.jsonl").read_bytes().splitlines()]
        return [each for each in records if not each["event"].startswith("audit.")]
