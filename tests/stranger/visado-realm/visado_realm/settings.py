"""The settings `[realm]`, and the form of a login."""

from typing import ClassVar

from pydantic import BaseModel, Field, SecretStr
from visado import Section


class RealmSection(Section):
    """Domains of user names, and the strategies that know these users."""

    name: ClassVar[str] = "realm"
    domains: dict[str, str] = Field({}, description='Strategies by domain: { "acme.example" = "acme" }.')
    kind: str = Field("", description="The kind of the added strategies that are searched too, such as ldap.")
    setting: str = Field("title", description="The setting of an added strategy that holds its domain.")


class RealmForm(BaseModel):
    username: str = Field(title="User name")
    password: SecretStr = Field(title="Password")
