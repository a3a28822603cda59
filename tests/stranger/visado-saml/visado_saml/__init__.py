from visado import Host, ServerSection, Settings, Strategy, hookimpl

from visado_saml.settings import SamlSection
from visado_saml.strategy import SamlStrategy


@hookimpl
def register_settings() -> type[SamlSection]:
    return SamlSection


@hookimpl
def register_strategies(settings: Settings, host: Host) -> list[Strategy]:
    return [SamlStrategy(settings[SamlSection], settings[ServerSection].public_url, host.tokens)]
