from __future__ import annotations

import pytest

from visado_kit import LoginContract, StrategyContract

from .conftest import settings_of
from .slapd import password_of

ACCOUNTS = {"auto_create": True}


class TestLdap(StrategyContract):
    """Credentials name an entry; its password is the directory's."""

    @pytest.fixture(autouse=True)
    def _directory(self, directory):
        self.directory = directory

    def settings(self):
        return {"ldap": {"directories": {"ldap": settings_of(self.directory)}}}

    def make(self, host):
        return host.security.strategies["ldap"]

    def credentials(self, number):
        return {"username": f"user{number}"}

    def login(self, credentials):
        number = int(credentials["username"].removeprefix("user"))
        return {**credentials, "password": password_of(number)}

    def changed(self, credentials):
        number = int(credentials["username"].removeprefix("user"))
        return {"username": f"user{number + 50}"}

    def proven(self, credentials):
        return self.login(credentials)

    def secrets(self, credentials):
        return [self.login(credentials)["password"]]


class TestLdapOverTls(TestLdap):
    def settings(self):
        return {"ldap": {"directories": {"ldap": settings_of(self.directory, secure=True)}}}


class TestLdapByTemplate(TestLdap):
    def settings(self):
        template = {"user_dn_template": "uid={username},ou=people,dc=example,dc=org", "search_base": ""}
        return {"ldap": {"directories": {"ldap": settings_of(self.directory, **template)}}}


class TestLdapWithFirstLogins(LoginContract):
    """The host makes the users of entries at their first logins."""

    repeatable = True

    @pytest.fixture(autouse=True)
    def _directory(self, directory):
        self.directory = directory

    def settings(self):
        return {"ldap": {"directories": {"ldap": settings_of(self.directory)}}, "accounts": {"ldap": ACCOUNTS}}

    def make(self, host):
        return host.security.strategies["ldap"]

    def request(self, harness, number):
        return {"username": f"user{number}", "password": password_of(number)}

    def wrong(self, sent):
        return {**sent, "password": "another xyzzy"}

    def unknown(self, sent):
        return {**sent, "username": "nobody"}

    def secrets_of(self, number):
        return [password_of(number)]
