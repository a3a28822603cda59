"""A running host, real OpenID providers, and browsers with and without scripts."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from joserfc.jwk import RSAKey

from tests.node import install, unavailable
from tests.ports import free_port
from visado_kit.live import LiveHost

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
BASIC_SECRET = "a secret: +/&=% of the basic client"


def need(*tools):
    """Skip where a tool is missing, by its name; with CI=true the test fails instead."""
    if "node" in tools:
        install(HERE, "the OpenID provider")
    if "chromium" in tools and not Path(CHROMIUM).exists():
        unavailable("needs chromium: apt-get install chromium")


class OidcProvider:
    """oidc-provider in its own process."""

    def __init__(self, **settings):
        need("node")
        self._process = subprocess.Popen(
            ["node", str(HERE / "provider.mjs"), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr.fileno() if os.environ.get("DEBUG") else subprocess.DEVNULL,
            text=True,
        )
        ready, _, _ = select.select([self._process.stdout], [], [], 30)
        self.issuer = self._process.stdout.readline().strip() if ready else ""
        assert self.issuer, "oidc-provider did not start"

    def close(self):
        self._process.kill()
        self._process.wait(10)
        self._process.stdin.close()
        self._process.stdout.close()


class Browser:
    """A browser without scripts that submits the provider's forms."""

    def __init__(self):
        self.client = httpx.Client(follow_redirects=False, timeout=20, trust_env=False)
        self._others = []

    def open_other(self):
        """Open another user's browser, which closes with this one."""
        self._others.append(Browser())
        return self._others[-1]

    def close(self):
        for each in (self, *self._others):
            each.client.close()

    def start(self, url):
        """Start a login at the host, and return the URL of the provider's login page."""
        answer = self.client.get(url)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def prove(self, address, user, until):
        """Log in at the provider, and return the URL to which it redirects the browser."""
        for _ in range(20):
            answer = self.client.get(address)
            while answer.status_code == 200:
                form = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
                fields = {"prompt": re.search(r'name="prompt" value="([^"]+)"', answer.text)[1]}
                if fields["prompt"] == "login":
                    fields |= {"login": user, "password": "any"}
                answer = self.client.post(urljoin(str(answer.url), form[1]), data=fields)
            assert answer.status_code in (302, 303), answer.text
            address = urljoin(str(answer.url), answer.headers["location"])
            if address.startswith(until):
                return address
        raise AssertionError(address)

    def log_in(self, url, user, until):
        """Log in, and return the host's last response."""
        return self.client.get(self.prove(self.start(url), user, until))


def parameters(address):
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def browse(steps, patience=90):
    """Run steps in a real Chromium, and return what it shows."""
    need("node", "chromium")
    done = subprocess.run(
        ["node", str(HERE / "browser.mjs")],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    seen = json.loads(done.stdout or "null")
    assert isinstance(seen, list), (seen, done.stderr)
    return seen


class LiveSetup:
    """A running host with two providers."""

    def __init__(self, folder, **providers):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        callbacks = [
            *(f"{self.url}/_login/{name}" for name in ("one", "two", "posted", "strict", "created", "keyed")),
            f"{self.url}/app",
        ]
        self.key = RSAKey.generate_key(2048, {"kid": "ours"})
        self.one = OidcProvider(
            jwk=self.key.as_dict(private=False),
            callbacks=callbacks,
            backchannel=f"{self.url}/_login/one",
            afterLogout=[f"{self.url}/_me"],
        )
        self.two = OidcProvider(callbacks=callbacks)
        self.host = LiveHost(folder, config=self._config())
        self.host.port = port

    def open(self):
        """Start the host, and create its administrator and the profile `linker`."""
        self.host.start()
        self.admin = self.host.create_admin()
        rights = {"auth": ["*"]}
        controllers = {name: {"actions": dict.fromkeys(actions, True)} for name, actions in rights.items()}
        self.host.query("security:createRole", token=self.admin, _id="linker", body={"controllers": controllers})
        body = {"policies": [{"roleId": "linker"}, {"roleId": "default"}]}
        self.host.query("security:createProfile", token=self.admin, _id="linker", body=body)

    def _config(self):
        def provider(name, issuer, *lines):
            given = [f'issuer = "{issuer}"', f"client_secret = '{BASIC_SECRET}'", 'client_id = "basic"', *lines]
            return "\n".join([f"[oauth.providers.{name}]", *given])

        return "\n".join(
            [
                f'[server]\npublic_url = "{self.url}"',
                "[limits]\nlogins_per_second = 100",
                "[oauth]\nhttp_on_loopback = true",
                provider(
                    "one",
                    self.one.issuer,
                    'scopes = ["openid", "email", "profile", "offline_access"]',
                    'params = { prompt = "consent" }',
                    f'return_to = ["{self.url}/_me", "{self.url}/welcome/"]',
                    'persist = ["email"]\nattributes = { "address.country" = "country" }',
                    f'redirect_uris = ["http://127.0.0.1/back", "{self.url}/app"]',
                    f'logout = ["revoke", "end_session"]\nafter_logout = "{self.url}/_me"',
                ),
                provider("two", self.two.issuer),
                provider("posted", self.two.issuer, f'response_mode = "form_post"\nreturn_to = ["{self.url}/_me"]'),
                "\n".join(
                    [
                        f'[oauth.providers.keyed]\nissuer = "{self.one.issuer}"\nclient_id = "jwt"',
                        f"private_key = '{json.dumps(self.key.as_dict(private=True))}'",
                        f'[oauth.providers.native]\nissuer = "{self.one.issuer}"\nclient_id = "native"',
                        'token_auth = "none"\nredirect_uris = ["http://127.0.0.1/back"]',
                    ]
                ),
                provider("strict", self.two.issuer, "auto_create = false"),
                provider(
                    "created",
                    self.two.issuer,
                    'scopes = ["openid", "email", "profile"]\ngroup_claim = "groups"',
                    'group_profiles = { chiefs = ["admin"] }\nrequire = { email_domain = ["EXAMPLE.com"] }',
                ),
            ]
        )

    def close(self):
        self.host.stop()
        self.one.close()
        self.two.close()
