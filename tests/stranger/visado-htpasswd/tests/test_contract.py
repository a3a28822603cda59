import tempfile
from pathlib import Path

import bcrypt
from visado_kit import StrategyContract


class TestStrategy(StrategyContract):
    def make(self, host):
        return host.strategies["htpasswd"]

    def settings(self):
        self.file = Path(tempfile.mkdtemp(), "users")
        self.file.write_text("", encoding="utf-8")
        self.names = set()
        return {"htpasswd": {"file": str(self.file)}}

    def credentials(self, number):
        return {"username": self.named(f"ada-{number}")}

    def login(self, credentials):
        return {**credentials, "password": password_of(credentials["username"])}

    def changed(self, credentials):
        return {"username": self.named(f"{credentials['username']}-byron")}

    def proven(self, credentials):
        return self.login(credentials)

    def secrets(self, credentials):
        return [password_of(credentials["username"])]

    def named(self, name):
        if name not in self.names:
            self.names.add(name)
            hashed = bcrypt.hashpw(password_of(name).encode(), bcrypt.gensalt(6)).decode()
            with self.file.open("a", encoding="utf-8") as file:
                file.write(f"{name}:{hashed}\n")
        return name


def password_of(name):
    return f"Analytical Engine of {name}"
