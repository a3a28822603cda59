import bcrypt
import pytest

COST = 6


def hash_of(password, cost=COST):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


class Users:
    """An htpasswd file of a test."""

    def __init__(self, path):
        self.path = path
        self.path.write_text("", encoding="utf-8")

    def add(self, name, password, cost=COST):
        self.add_line(f"{name}:{hash_of(password, cost)}")

    def add_line(self, line):
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def set(self, name, password):
        lines = [line for line in self.path.read_text(encoding="utf-8").splitlines() if not line.startswith(f"{name}:")]
        self.path.write_text("\n".join([*lines, f"{name}:{hash_of(password)}", ""]), encoding="utf-8")


@pytest.fixture
def users(tmp_path):
    return Users(tmp_path / "users")
