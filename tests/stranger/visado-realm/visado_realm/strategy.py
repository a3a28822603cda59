"""The strategy `realm`."""

from visado import AddedStrategies, Fail, Outcome, Pass, Request, Strategies, Strategy

from visado_realm.settings import RealmForm, RealmSection


class Realm(Strategy):
    """Passes a login on: to the strategy of the domain in the settings, to an added one, or to `local`."""

    name, title, login_form = "realm", "User name and password", RealmForm

    def __init__(self, section: RealmSection, strategies: Strategies, added: AddedStrategies) -> None:
        self._section, self._strategies, self._added = section, strategies, added
        self._domains = {domain.lower(): strategy for domain, strategy in section.domains.items()}

    async def authenticate(self, request: Request) -> Outcome:
        username = request.fields.get("username")
        domain = username.rpartition("@")[2].lower() if isinstance(username, str) and "@" in username else ""
        strategy = self._domains.get(domain) or self._find(domain) or "local"
        known = strategy != self.name and strategy in self._strategies.names()
        return Pass(to=strategy) if known else Fail("wrong username or password")

    def _find(self, domain: str) -> str | None:
        if not domain or not self._section.kind:  # an added strategy may have an empty title
            return None
        return next(iter(self._added.find(self._section.kind, **{self._section.setting: domain})), None)

    def problem(self) -> str | None:
        missing = sorted({*self._domains.values()} - {*self._strategies.names()})
        return f"no such strategies: {', '.join(missing)}" if missing else None
