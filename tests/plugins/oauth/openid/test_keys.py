from __future__ import annotations

import asyncio
import json

import pytest
from joserfc.jwk import ECKey

from visado import errors
from visado_oauth.openid.keys import ProviderKeys, read_private_key

from .. import hostile


def test_private_keys_are_read_or_refused():
    for key in (ECKey.generate_key("P-384"), hostile._RSA[0]):
        for text in (key.as_pem(private=True).decode(), json.dumps(key.as_dict(private=True))):
            _, header = read_private_key(text, None)
            assert header["alg"] == ("ES384" if key.key_type == "EC" else "RS256")
    for text in ("", "x", "{}", '{"kty": "oct", "k": "AA"}', hostile._RSA[0].as_pem(private=False).decode()):
        with pytest.raises(ValueError, match="private_key"):
            read_private_key(text, None)


def test_a_failed_fetch_of_keys_is_retried():
    answers = iter([errors.StorageUnavailable(), {"keys": []}])
    now = [0.0]

    async def found():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scene():
        keys = ProviderKeys(found, lambda: now[0])
        for _ in range(3):
            with pytest.raises(errors.StorageUnavailable):
                await keys.candidates("RS256", None)
        now[0] += 6
        assert await keys.candidates("RS256", None) == []

    asyncio.run(scene())
