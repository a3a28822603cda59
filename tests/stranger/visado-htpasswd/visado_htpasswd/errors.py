"""The errors: what a client, or the operator, can get wrong."""

from __future__ import annotations

from visado import errors


class FileUnreadable(errors.Unavailable, id="htpasswd.file.unreadable"):
    """The htpasswd file is not set, absent or unreadable; `server:info` and the host's log say why."""

    message = "The htpasswd file cannot be read at the moment."


class Uncreatable(errors.Unavailable, id="htpasswd.user.uncreatable"):
    """A first login was to make a user, but the settings name a profile that does not exist; the log says which."""

    message = "Users cannot be made at the moment."


class InvalidName(errors.BadRequest, id="htpasswd.name.invalid"):
    """No line of an htpasswd file can have this name."""

    message = "A name is 1 to 255 printable characters, without a colon."


class UnknownName(errors.BadRequest, id="htpasswd.name.unknown"):
    """The htpasswd file has no usable line of this name."""

    message = "The htpasswd file does not know this name."


class PasswordRequired(errors.BadRequest, id="htpasswd.password.required"):
    """Users link a name to themselves with its password, as a proof."""

    message = "Your own credentials are username and password: prove that the name is yours."


class PasswordWrong(errors.Forbidden, id="htpasswd.password.wrong"):
    """The name is unknown, or the password is not its password."""

    message = "Wrong username or password."
