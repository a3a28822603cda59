"""The settings `[magic]`, the form of a login, and the error of too many mails."""

from typing import ClassVar

from pydantic import BaseModel, Field
from visado import Section, errors


class MagicSection(Section):
    """Codes by mail."""

    name: ClassVar[str] = "magic"
    smtp: str = Field("localhost:25", pattern=r"^[^:\s]+:[0-9]{1,5}$", description="The mail server: host:port.")
    starttls: bool = Field(True, description="Encrypt, and verify the mail server's certificate.")
    sender: str = Field("visado@localhost", alias="from", description="The sender of the mails.")
    mails: int = Field(5, ge=1, le=20, description="The number of mails to one address in an hour.")


class MagicForm(BaseModel):
    """The body of the first request."""

    email: str = Field(title="E-mail address", max_length=254)


class TooManyMails(errors.TooManyRequests, id="magic.mails.too_many"):
    """So many codes were mailed to the address that no further one is mailed for some time."""

    message = "Too many codes were mailed to this address: try again in an hour."
