from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from visado_kit.live import serve

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# These two close the host, after which everything is a 401; the other two answer without an envelope.
NOT_THESE = "(_createFirstAdmin|_restrictDefaultRights|_metrics|_openapi)"


def test_no_request_that_the_document_allows_is_a_5xx_or_undocumented(tmp_path):
    command = [str(Path(sys.executable).with_name("st")), "run", "--max-examples", "3", "--workers", "1", "--seed", "1"]
    with serve(tmp_path) as host:
        told = subprocess.run(
            [*command, "--checks", CHECKS, "--exclude-path-regex", NOT_THESE, f"{host.url}/_openapi"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert told.returncode == 0, told.stdout[-4_000:]
        assert "Traceback" not in host.log
