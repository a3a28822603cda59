import base64

import pytest

from visado_htpasswd.basic import read_basic, read_name, read_password


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (basic("ada:pass:word"), ("ada", "pass:word")),
        (basic("zo\u00eb:caf\u00e9").replace("Basic", "bAsIc"), ("zo\u00eb", "caf\u00e9")),
        (basic("ada:"), ("ada", "")),
        (basic("ada"), (None, None)),
        ("Basic", (None, None)),
        ("Basic =?", (None, None)),
        ("Basic /w==", (None, None)),
        ("Basic a\u00e9b=", (None, None)),
        ("Bearer " + basic("ada:password"), None),
        ("", None),
        (None, None),
    ],
)
def test_headers(header, found):
    assert read_basic(header) == found


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "a" * 256, "\ud800", None, 7, ["ada"]])
def test_what_is_no_name(name):
    assert read_name(name) is None


@pytest.mark.parametrize("password", ["\ud800", None, 7, ["word"]])
def test_what_is_no_password(password):
    assert read_password(password) is None
