"""Strategies of any login with one fault each: the test of the kit that finds it, and what its message says."""

from __future__ import annotations

import secrets
from dataclasses import replace

from pydantic import BaseModel

from visado import Challenge, Fail, Identity, Redirect, Success

from .right import Phrase, PhraseContract, is_text
from .right_logins import (
    PROVIDER,
    Basic,
    BasicContract,
    Guests,
    GuestsContract,
    Mailed,
    MailedContract,
    Signed,
    SignedContract,
    digest,
)  # fmt: skip


class TestCountsInReference(SignedContract):
    """Returns another text each time."""

    caught_by, says = "test_reads_requests_without_an_effect", "reference() must return the same for the same request"

    class Plugin(Signed):
        def reference(self, request):
            return super().reference(request) or secrets.token_hex(8)


class TestTakesTheReferenceOutOfTheRequest(SignedContract):
    caught_by, says = "test_reads_requests_without_an_effect", "reference() must not change the request"

    class Plugin(Signed):
        def reference(self, request):
            reference = request.fields.pop("RelayState", None)
            return reference if isinstance(reference, str) else None


class TestRaisesFromReference(SignedContract):
    caught_by, says = "test_reads_requests_without_an_effect", "reference() raised"

    class Plugin(Signed):
        def reference(self, request):
            return request.fields["RelayState"].strip()


class TestReturnsAReferenceOfAnotherType(SignedContract):
    caught_by, says = "test_reads_requests_without_an_effect", "reference() must return a text or None"

    class Plugin(Signed):
        def reference(self, request):
            return request.fields.get("RelayState")


class TestRaisesFromSubject(MailedContract):
    caught_by, says = "test_reads_requests_without_an_effect", "subject() raised"

    class Plugin(Mailed):
        def subject(self, request):
            return request.fields["email"].strip().lower()

        async def authenticate(self, request):
            return await super().authenticate(request) if is_text(request.fields.get("email")) else Fail()


class TestNormalisesTheRequestInSubject(PhraseContract):
    caught_by, says = "test_reads_requests_without_an_effect", "subject() must not change the request"

    class Plugin(Phrase):
        def subject(self, request):
            name = super().subject(request)
            if name is not None:
                request.body["name"] = name.strip() + "."
            return name


class TestHasTheSecretInItsSubject(PhraseContract):
    caught_by, says = "test_a_wrong_secret_has_the_same_subject", "is in what subject() returns: it may be logged"

    class Plugin(Phrase):
        def subject(self, request):
            return f"{super().subject(request)}:{request.fields.get('phrase')}"


class TestHasADigestOfTheSecretInItsSubject(BasicContract):
    caught_by, says = "test_a_wrong_secret_has_the_same_subject", "subject() must be the same for a right and a wrong"

    class Plugin(Basic):
        def subject(self, request):
            return digest(request.header("authorization") or "")


class TestHasASubjectInSeveralSpellings(MailedContract):
    """Mails to an address in any case, and counts each spelling on its own."""

    caught_by, says = "test_spellings_of_a_subject_are_one_subject", "subject() must return one spelling"

    class Plugin(Mailed):
        def subject(self, request):
            email = request.fields.get("email")
            return email if is_text(email) and "@" in email else None

        def new_code(self, address):
            self.outbox.setdefault(address.strip().lower(), []).append(code := super().new_code(address))
            return code

        async def answer(self, request, state):
            outcome = await super().answer(request, state)
            who = Identity(state["email"].strip().lower())
            return replace(outcome, who=who) if isinstance(outcome, Success) else outcome


class TestIsAnIdentityInSeveralSpellings(MailedContract):
    """The subject of the identity is the address as it was typed."""

    caught_by, says = "test_spellings_of_a_subject_are_one_subject", "return an Identity whose subject is a stable id"

    class Plugin(Mailed):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            if not isinstance(outcome, Challenge):
                return outcome
            return replace(outcome, state={**outcome.state, "email": request.fields["email"]})


class TestIsAnotherIdentityAtEachLogin(SignedContract):
    """The subject of the identity is the id of the session at the provider."""

    caught_by, says = "test_a_right_login_succeeds", "return an Identity whose subject never changes"

    class Plugin(Signed):
        async def answer(self, request, state):
            outcome = await super().answer(request, state)
            if not isinstance(outcome, Success):
                return outcome
            return replace(outcome, who=Identity(f"{outcome.who.subject}/{state['id']}", outcome.who.profile))


class TestIsOneIdentityForAll(SignedContract):
    caught_by, says = "test_a_right_login_succeeds", "the logins 0 and 1 are of two users"

    class Plugin(Signed):
        async def answer(self, request, state):
            outcome = await super().answer(request, state)
            return replace(outcome, who=Identity(PROVIDER)) if isinstance(outcome, Success) else outcome


class TestMakesNoUser(SignedContract):
    caught_by, says = "test_a_right_login_succeeds", "through the host, the same login led to"

    class Plugin(Signed):
        accounts = Guests.accounts


class TestAcceptsTheCodeOfAnotherLogin(MailedContract):
    """Any code that was sent is right, whatever the login that asked for it."""

    caught_by, says = "test_an_answer_belongs_to_its_login", "the answer to the login of one user was right"

    class Plugin(Mailed):
        async def answer(self, request, state):
            code = request.fields.get("code")
            right = any(code in codes for codes in self.outbox.values())
            return Success(Identity(state["email"])) if right else Fail("wrong code")


class TestAcceptsAnAnswerToAnotherQuestion(SignedContract):
    """Does not compare `InResponseTo`: an answer of the provider is right for every login."""

    caught_by, says = "test_an_answer_belongs_to_its_login", "answer() must compare an answer with the state"

    class Plugin(Signed):
        async def answer(self, request, state):
            claims = self.read(request.fields.get("SAMLResponse"))
            return Success(Identity(claims["sub"])) if claims and "sub" in claims else Fail()


class TestAcceptsAnySignature(SignedContract):
    caught_by, says = "test_a_wrong_answer_uses_up_a_try", "return Fail from answer() for a wrong answer"

    class Plugin(Signed):
        async def answer(self, request, state):
            return Success(Identity("id-0"))


class TestCountsTriesItself(MailedContract):
    """Refuses the login after one wrong code, where its challenge promises three tries."""

    caught_by, says = "test_a_wrong_answer_uses_up_a_try", "tries is 3: a right answer after 2 wrong ones must log in"

    class Plugin(Mailed):
        def __init__(self, host):
            super().__init__(host)
            self.wrong = set()

        async def answer(self, request, state):
            outcome = await super().answer(request, state)
            if isinstance(outcome, Fail):
                self.wrong.add(state["hash"])
            return Fail("too many") if state["hash"] in self.wrong else outcome


class TestAsksAgainForever(MailedContract):
    """Answers a wrong code with another challenge for the same code: there is no limit."""

    caught_by, says = "test_a_wrong_answer_uses_up_a_try", "return Fail from answer() for a wrong answer"

    class Plugin(Mailed):
        async def answer(self, request, state):
            outcome = await super().answer(request, state)
            return Challenge(state=state) if isinstance(outcome, Fail) else outcome


class TestKeepsStepsItself(MailedContract):
    """Finds the login by the address, and not by the state: an answer works as often as it is sent."""

    caught_by, says = "test_an_answer_works_once", "return Success from answer() for a right answer"

    class Plugin(Mailed):
        async def answer(self, request, state):
            return Fail("this login has no further step")


class TestNeedsNoPageOfAnotherSite(MailedContract):
    """Opens its login to forms of other sites, although no page posts the answer to a challenge."""

    caught_by, says = "test_pages_of_its_origins_may_post_answers", "posts_from: declare no origin"

    class Plugin(Mailed):
        posts_from = frozenset({"https://mail.example"})


class TestOpensALoginOfOneRequest(PhraseContract):
    caught_by, says = "test_pages_of_its_origins_may_post_answers", "posts_from: declare no origin"

    class Plugin(Phrase):
        posts_from = frozenset({"*"})


class TestDeclaresAnAddressAsOrigin(SignedContract):
    caught_by, says = "test_is_declared_well", "posts_from: use origins such as https://idp.example"

    class Plugin(Signed):
        posts_from = frozenset({f"{PROVIDER}/login"})


class TestLetsAnyBrowserAnswer(SignedContract):
    """Binds the answer to no browser, so that the host lets no page of another site post it."""

    caught_by, says = "test_pages_of_its_origins_may_post_answers", "return a Redirect with a state and same_client"

    class Plugin(Signed):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            return replace(outcome, same_client=False) if isinstance(outcome, Redirect) else outcome


class TestDeclaresTooFewMembersOfALogin(PhraseContract):
    caught_by, says = "test_requests_fit_the_login_form", "login_form: declare every member; phrase is missing"

    class Plugin(Phrase):
        class login_form(BaseModel):  # noqa: N801
            name: str


class TestDeclaresMembersThatNobodySends(MailedContract):
    caught_by, says = "test_requests_fit_the_login_form", "login_form: what the suite sends must fit it"

    class Plugin(Mailed):
        class login_form(BaseModel):  # noqa: N801
            email: str
            captcha: str


class TestSetsACookieOfTwoLines(SignedContract):
    caught_by, says = "test_a_right_login_succeeds", "values of headers and cookies are texts of one line"

    class Plugin(Signed):
        async def answer(self, request, state):
            outcome = await super().answer(request, state)
            return replace(outcome, cookies=("a=b\r\nX-Other: c",)) if isinstance(outcome, Success) else outcome


class TestSendsAHeaderOfTwoLines(BasicContract):
    caught_by, says = "test_a_right_login_succeeds", "values of headers and cookies are texts of one line"

    class Plugin(Basic):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            headers = {"authentication-info": "a=b\nc=d"}
            return replace(outcome, headers=headers) if isinstance(outcome, Success) else outcome


class TestReflectsANameInAHeader(PhraseContract):
    """Puts a line break of the client's into `WWW-Authenticate`."""

    caught_by, says = "test_hostile_logins_are_refused", "values of headers and cookies are texts of one line"

    class Plugin(Phrase):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            name = request.fields.get("name")
            asks = (f'Basic realm="{name if isinstance(name, str) else ""}"',)
            return replace(outcome, www_authenticate=asks) if isinstance(outcome, Fail) else outcome


class TestStartsALoginWithoutAState(SignedContract):
    caught_by, says = "test_a_right_login_succeeds", "return a Challenge, or a Redirect with a state"

    class Plugin(Signed):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            return replace(outcome, state=None) if isinstance(outcome, Redirect) else outcome


class TestStoresAStateThatIsNotJson(SignedContract):
    caught_by, says = "test_redirects_to_an_address", "a state and data that JSON can represent"

    class Plugin(Signed):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            return replace(outcome, state={**outcome.state, "at": {1, 2}}) if isinstance(outcome, Redirect) else outcome


class TestPromisesTooManyTries(MailedContract):
    caught_by, says = "test_challenges_can_be_sent", "1 to 1000 tries"

    class Plugin(Mailed):
        tries = 5_000


class TestShowsTheCodeInTheChallenge(MailedContract):
    caught_by, says = "test_no_secret_of_a_login_is_logged_shown_or_stored", "is in an outcome or an error"

    class Plugin(Mailed):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            hint = {"code": self.outbox[outcome.state["email"]][-1]} if isinstance(outcome, Challenge) else {}
            return replace(outcome, data=hint) if isinstance(outcome, Challenge) else outcome


class TestStoresTheCode(MailedContract):
    caught_by, says = "test_no_secret_of_a_login_is_logged_shown_or_stored", "is in a stored document: store its hash"

    class Plugin(Mailed):
        async def authenticate(self, request):
            outcome = await super().authenticate(request)
            if not isinstance(outcome, Challenge):
                return outcome
            return replace(outcome, state={**outcome.state, "code": self.outbox[outcome.state["email"]][-1]})


class TestIsOneGuestForAll(GuestsContract):
    """Two guests at once are one user."""

    caught_by, says = "test_a_right_login_succeeds", "the logins 0 and 1 are of two users"

    class Plugin(Guests):
        guest = None

        async def authenticate(self, request):
            if self.guest is None:
                self.guest = (await super().authenticate(request)).who
            return Success(self.guest)


class TestAsksForNothingInReturn(BasicContract):
    """Trusts the name in the header, whatever the password."""

    caught_by, says = "test_wrong_secret_and_unknown_subject_fail_alike", "return Fail() for a wrong secret"

    class Plugin(Basic):
        async def authenticate(self, request):
            sent = self.read(request)
            row = await self.credentials.get(self.name, sent[0]) if sent else None
            return Success(row["userId"]) if row else Fail("wrong", self.asks)


class TestRaisesForAnotherScheme(BasicContract):
    caught_by, says = "test_hostile_logins_are_refused", "validate what a client sends before using it"

    class Plugin(Basic):
        def read(self, request):
            _, text = (request.header("authorization") or "").split(" ")
            return super().read(request) if text else None
