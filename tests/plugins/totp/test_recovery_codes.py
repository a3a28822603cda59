"""Recovery codes: 80 random bits each, stored as salted hashes."""

from __future__ import annotations

import base64

from visado_totp.recovery_codes import generate_codes, hash_codes, normalize_code, remove_code


def test_recovery_codes_are_of_eighty_bits_and_kept_as_hashes():
    codes = generate_codes(20)
    kept = hash_codes(codes)
    assert len({*codes}) == 20
    assert all(len(base64.b32decode(code.replace("-", "").upper())) == 10 for code in codes)
    assert not [code for code in codes if code in "".join(kept) or normalize_code(code) in "".join(kept)]
    left = remove_code(kept, normalize_code(codes[3]))
    assert left == kept[:3] + kept[4:]
    assert remove_code(left, normalize_code(codes[3])) is None
    assert remove_code(kept, "") is None
