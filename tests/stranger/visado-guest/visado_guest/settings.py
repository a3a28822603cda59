"""The settings `[guest]`, and the form of a login."""

from typing import ClassVar

from pydantic import BaseModel, Field, SecretStr
from visado import Seconds, Section


class GuestSection(Section):
    """Guests: users who need no credentials, until they stay away."""

    name: ClassVar[str] = "guest"
    days: float = Field(30, gt=0, le=3650, description="A guest who does not come back for so many days is deleted.")
    interval: Seconds = Field(3600, gt=0, description="How often the host looks for such guests.")

    @property
    def stay(self) -> int:
        """`days` in ms."""
        return round(self.days * 86_400_000)


class GuestForm(BaseModel):
    """The body of a login."""

    name: str = Field("", title="Your name", max_length=40)
    guest: SecretStr | None = Field(None, title="The secret of an earlier visit")
