from __future__ import annotations

from visado_oauth.openid.claims import merge_claims, select_attributes


def test_signed_claims_win_and_emails_are_verified_by_their_source():
    merged = merge_claims({"sub": "1", "name": "signed"}, {"sub": "2", "name": "told", "locale": "fr", "iss": "x"})
    assert merged == {"sub": "1", "name": "signed", "locale": "fr"}
    assert "email_verified" not in merge_claims({"email": "a@b"}, {"email": "c@d", "email_verified": True})
    told = merge_claims({"email_verified": True}, {"email": "c@d"})
    assert told["email_verified"] is None


def test_attributes_are_selected_by_path():
    said = {"email": "a@b.c", "picture": {"data": {"url": "u"}}, "emails": [{"value": "v"}], "none": None}
    kept = select_attributes(
        said, ["email", "picture.data.url", "emails[0].value", "none", "a.b"], {"picture.data.url": "photo"}
    )
    assert kept == {"email": "a@b.c", "photo": "u", "emails[0].value": "v"}
