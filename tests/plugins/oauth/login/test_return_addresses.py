from __future__ import annotations

from visado_oauth.login.return_addresses import may_receive_code


def test_codes_are_received_at_listed_addresses_only():
    listed = ["https://app.example.com/back", "http://127.0.0.1/back", "com.example.app:/back"]
    for address in ("https://app.example.com/back", "http://127.0.0.1:1234/back", "com.example.app:/back"):
        assert may_receive_code(address, listed)
    for address in (
        "https://app.example.com/back/", "https://app.example.com:444/back", "http://127.0.0.1:1234/", "https://127.0.0.1/back",
        "http://127.0.0.2/back", "http://localhost:1/back", "com.example.app:/other", "http://127.0.0.1:99999/back", "",
    ):  # fmt: skip
        assert not may_receive_code(address, listed)
