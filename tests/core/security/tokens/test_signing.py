from __future__ import annotations

import base64
import hashlib
import json

import jwt

from .issued import INVALID, SECRET, b64, seed, segments, with_ann


def forged(now):
    """Tokens that nobody issued: name and text. Each but the last few is signed with the right secret."""
    good = {"_id": "ann", "iat": now, "exp": now + 3_600, "jti": "1"}
    head = {"alg": "HS256", "typ": "JWT"}
    whole = segments(head, good)
    header, claims, signature = whole.split(".")
    public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----"
    return {
        "alg none": f"kauth-{b64(json.dumps({'alg': 'none', 'typ': 'JWT'}).encode())}.{claims}.",
        "alg None": f"kauth-{b64(json.dumps({'alg': 'None'}).encode())}.{claims}.{signature}",
        "alg nOnE, signed": "kauth-" + segments({"alg": "nOnE", "typ": "JWT"}, good),
        "no alg": "kauth-" + segments({"typ": "JWT"}, good),
        "alg null": "kauth-" + segments({"alg": None}, good),
        "alg a list": "kauth-" + segments({"alg": ["HS256"]}, good),
        "alg HS384": "kauth-" + jwt.encode(good, SECRET.ljust(48, "."), algorithm="HS384"),
        "HS256 said, SHA-512 done": "kauth-" + segments(head, good, digest=hashlib.sha512),
        "HS512 said and done": "kauth-" + segments({"alg": "HS512"}, good, digest=hashlib.sha512),
        "alg RS256 with the secret": "kauth-" + segments({"alg": "RS256"}, good),
        "signed with a public key": "kauth-" + segments(head, good, secret=public),
        "another secret": "kauth-" + segments(head, good, secret="another secret of thirty-two bytes!"),
        "an empty secret": "kauth-" + segments(head, good, secret=""),
        "no signature": f"kauth-{header}.{claims}.",
        "two parts": f"kauth-{header}.{claims}",
        "four parts": f"kauth-{whole}.x",
        "claims changed": f"kauth-{header}.{b64(json.dumps({**good, '_id': 'root'}).encode())}.{signature}",
        "jwk in the header": "kauth-" + segments({**head, "jwk": {"kty": "oct", "k": b64(b"mine")}}, good, secret="mine"),
        "kid that is a path": "kauth-" + segments({**head, "kid": "../../dev/null"}, good, secret=""),
        "jku": "kauth-" + segments({**head, "jku": "http://127.0.0.1:9/keys"}, good, secret="x" * 32),
        "crit": "kauth-" + segments({**head, "crit": ["exp"]}, good),
        "b64 false": "kauth-" + segments({**head, "b64": False, "crit": ["b64"]}, good),
        "_id a number": "kauth-" + segments(head, {**good, "_id": 1}),
        "_id a list": "kauth-" + segments(head, {**good, "_id": ["ann"]}),
        "_id null": "kauth-" + segments(head, {**good, "_id": None}),
        "_id absent": "kauth-" + segments(head, {"iat": now, "exp": now + 9, "jti": "1"}),
        "_id of another": "kauth-" + segments(head, {**good, "_id": "root"}),
        "exp a text": "kauth-" + segments(head, {**good, "exp": "tomorrow"}),
        "exp a list": "kauth-" + segments(head, {**good, "exp": [now + 9]}),
        "exp infinite": "kauth-" + segments(head, json.dumps(good).replace(str(now + 3600), "1e999").encode()),
        "exp NaN": "kauth-" + segments(head, json.dumps(good).replace(str(now + 3600), "NaN").encode()),
        "exp of 5,000 digits": "kauth-" + segments(head, json.dumps(good).replace(str(now + 3600), "9" * 5_000).encode()),
        "exp past": "kauth-" + segments(head, {**good, "exp": 1}),
        "exp null": "kauth-" + segments(head, {**good, "exp": None}),
        "iat absent": "kauth-" + segments(head, {"_id": "ann", "exp": now + 9, "jti": "1"}),
        "jti absent": "kauth-" + segments(head, {"_id": "ann", "iat": now}),
        "claims a list": "kauth-" + segments(head, b'["ann"]'),
        "claims a text": "kauth-" + segments(head, b'"ann"'),
        "claims deep": "kauth-" + segments(head, b"[" * 9_000 + b"]" * 9_000),
        "claims with a lone surrogate": "kauth-" + segments(head, b'{"_id": "\\ud800", "iat": 1, "jti": "1"}'),
        "claims not UTF-8": "kauth-" + segments(head, b'{"_id": "\xff"}'),
        "header a list": "kauth-" + segments(b"[]", good),
        "header deep": "kauth-" + segments(b'{"alg":' * 9_000, good),
        "padding": f"kauth-{header}=.{claims}=.{signature}=",
        "blanks": f"kauth- {whole}",
        "no prefix": whole,
        "prefix in capitals": f"KAUTH-{whole}",
        "prefix twice": f"kauth-kauth-{whole}",
        "the other prefix": f"kapikey-{whole}",
        "prefix alone": "kauth-",
        "no token at all": "x",
        "dots": "kauth-..",
        "injection": "kauth-' OR '1'='1",
        "not ASCII": f"kauth-{whole}é",
        "very long": "kauth-" + "A" * 20_000 + "." + claims + "." + signature,
    }  # fmt: skip


def test_no_forged_token_passes_by_any_way_even_if_its_row_is_there(play):
    async def scene(inside):
        good = await inside.token("ann")
        assert (await inside.result("auth:getCurrentUser", token=good))["_id"] == "ann"
        corpus = forged(inside.clock.now // 1_000)
        assert len(corpus) >= 50
        corpus |= {
            f"{name}, as a key": text.replace("kauth-", "kapikey-", 1)
            for name, text in corpus.items()
            if "kauth-" in text
        }
        for name, text in corpus.items():
            await seed(inside, text, key=name != "the other prefix")
            for how in ({"token": text}, {"cookie": text}):
                response = await inside.ask("auth:getCurrentUser", **how)
                assert response.error is not None, (name, response.reply.result)
                assert (response.error.id, response.status) == (INVALID, 401), name
            checked = await inside.result("auth:checkToken", {"token": text})
            assert checked["valid"] is False, name
            assert text not in json.dumps(checked)

    play(with_ann(scene), security={"token": {"secrets": [SECRET]}})


def test_the_corpus_fails_for_its_own_fault(play):
    """A token made in the same way without a fault passes, so the others are refused for theirs."""

    async def scene(inside):
        now = inside.clock.now // 1_000
        text = "kauth-" + segments(
            {"alg": "HS256", "typ": "JWT"}, {"_id": "ann", "iat": now, "exp": now + 9, "jti": "1"}
        )
        assert await inside.error("auth:getCurrentUser", token=text) == INVALID
        await seed(inside, text)
        assert await inside.error("auth:getCurrentUser", token=text) is None

    play(with_ann(scene), security={"token": {"secrets": [SECRET]}})


def test_claims_decode_with_plain_base64(play):
    """The JavaScript client reads the claims with base64, not base64url."""

    async def scene(inside):
        for user in ("ann", "foo?bar>~\x7f", "ünïcödé 😀", 'q"uote\\'):
            await inside.user(user)
            for _ in range(20):
                text = await inside.token(user)
                claims = text.split(".")[1]
                assert not set(claims) & set("-_")
                decoded = json.loads(base64.b64decode(claims + "=" * (-len(claims) % 4)))
                assert decoded["_id"] == user
                assert text.startswith("kauth-")
                assert await inside.error("auth:getCurrentUser", token=text) is None

    play(scene)


def test_secrets_rotate_without_a_logout(play):
    old, new = SECRET, "the next secret of thirty-two bytes"

    def under(*secrets):
        return {"token": {"secrets": list(secrets)}}

    async def first(inside):
        return await inside.token("ann")

    before = play(with_ann(first), security=under(old))

    async def second(inside):
        assert await inside.error("auth:getCurrentUser", token=before) is None
        return await inside.token("ann")

    between = play(second, security=under(new, old))

    async def third(inside):
        assert await inside.error("auth:getCurrentUser", token=before) == INVALID
        assert await inside.error("auth:getCurrentUser", token=between) is None

    play(third, security=under(new))
