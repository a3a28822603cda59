from __future__ import annotations

import pytest

from visado.settings.loading import SettingsError
from visado.settings.sections import SecuritySection


@pytest.mark.parametrize(
    ("section", "toml", "path"),
    [
        ("http", "cookie_origins = ['*']", "http.cookie_origins"),
        ("security.token", "secrets = ['short']", "security.token.secrets"),
        ("security.token", "algorithm = 'none'", "security.token.algorithm"),
        ("security.token", "algorithm = 'RS256'", "security.token.algorithm"),
        ("security.token", "algorithm = ['HS256', 'RS256']", "security.token.algorithm"),
        ("security.token", "expires_in = 'soon'", "security.token.expires_in"),
        ("security.token", "expires_in = 0", "security.token.expires_in"),
        ("security.token", "expires_in = -5", "security.token.expires_in"),
        ("security.token", "max_ttl = -2", "security.token.max_ttl"),
        ("security", "api_key_max_ttl = -2", "security.api_key_max_ttl"),
        ("server", "public_url = 'auth.example.com'", "server.public_url"),
        ("server", "trusted_proxies = ['10.0.0.1', '10.0.0.1/8']", "server.trusted_proxies.1"),
        ("server", "trusted_proxies = ['*']", "server.trusted_proxies.0"),
        ("server", "trusted_proxies = ['proxy.example']", "server.trusted_proxies.0"),
        ("server", "trusted_proxies = ['']", "server.trusted_proxies.0"),
        ("server", "trusted_proxies = ['UNIX']", "server.trusted_proxies.0"),
        ("server", "trusted_proxies = '10.0.0.1'", "server.trusted_proxies"),
        ("limits", "request_size = 0", "limits.request_size"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused(load, section, toml, path):
    with pytest.raises(SettingsError, match=rf"(?m)^{path}"):
        load(f"[{section}]\n{toml}")


def test_lifetimes_are_numbers_or_texts(load):
    token = load("[security.token]\nexpires_in = '6 days'\nmax_ttl = '-1'")[SecuritySection].token
    assert (token.expires_in, token.max_ttl) == (518_400_000, -1)
