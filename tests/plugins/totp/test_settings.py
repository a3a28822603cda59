from __future__ import annotations

import pytest

from visado_totp.settings import TotpSection


def test_a_secret_that_is_too_short_is_refused_and_not_shown():
    with pytest.raises(ValueError, match="32 bytes") as caught:
        TotpSection.model_validate({"secret": "too short"})
    assert "too short" not in str(caught.value)
