"""What the commands of visado-oauth do with the catalogue and with a provider."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import Final

from visado import ServerSection, Settings
from visado_oauth import catalogue
from visado_oauth.catalogue import Misconfigured
from visado_oauth.check import Check, Finding
from visado_oauth.making import outgoing, resolved
from visado_oauth.settings import OauthSection

_WRONG: Final = 1


def say(text: str) -> None:
    """Write a line for the operator."""
    print(text)  # noqa: T201 - a command line writes


def list_providers(_: Namespace, settings: Settings) -> int:
    """Print every record: its name, its title, and the variables that the settings must give."""
    section = settings[OauthSection]
    for name in catalogue.names(section.catalogue):
        try:
            record = catalogue.find(name, section.catalogue)
        except Misconfigured as error:
            say(f"{name:<14} {error}")
            continue
        needed = [each for each, default in record.variables.items() if not default]
        say(f"{name:<14} {record.title}" + (f" (variables: {', '.join(needed)})" if needed else ""))
    for name, provider in section.providers.items():
        say(f"[oauth.providers.{name}] {provider.provider or provider.issuer or provider.authorize_url}")
    return 0


def check_provider(arguments: Namespace, settings: Settings) -> int:
    """Ask a provider what a login would, and print what is right and what is not."""
    section = settings[OauthSection]
    given = section.providers.get(arguments.name)
    if given is None:
        say(f"[oauth.providers] has no {arguments.name!r}: {', '.join(section.providers) or 'it is empty'}")
        return _WRONG
    reach, http = outgoing(section)
    found = resolved(arguments.name, given, section, settings[ServerSection].public_url, reach)
    if isinstance(found, str):
        say(f"settings   wrong: {found}")
        return _WRONG
    say(f"settings   right: {found.record.title or found.issuer}")
    findings: list[Finding] = []

    def report(each: Finding) -> None:
        findings.append(each)
        say(f"{each.step:<10} {'right' if each.right else 'wrong'}: {each.text}")

    asyncio.run(Check(http, found, reach).run(report))
    return 0 if all(each.right for each in findings) else _WRONG
