"""The errors of visado-htpasswd."""

from __future__ import annotations

from visado import errors


class FileUnreadable(errors.Unavailable, id="htpasswd.file.unreadable"):
    """The htpasswd file is not set, is missing, or cannot be read. `server:info` and the host's log have the reason."""

    message = "The htpasswd file cannot be read."


class Uncreatable(errors.Unavailable, id="htpasswd.user.uncreatable"):
    """A first login could not create a user: a profile of the settings does not exist. The host's log names it."""

    message = "Users cannot be created."


class InvalidName(errors.BadRequest, id="htpasswd.name.invalid"):
    """The value is not a valid name of an htpasswd file."""

    message = "A name is 1 to 255 printable characters, without a colon."


class UnknownName(errors.BadRequest, id="htpasswd.name.unknown"):
    """The htpasswd file has no usable line with this name."""

    message = "The htpasswd file does not contain this name."


class PasswordRequired(errors.BadRequest, id="htpasswd.password.required"):
    """Users who link a name to themselves must send its password."""

    message = "Send username and password: the password proves that the name is yours."


class PasswordWrong(errors.Forbidden, id="htpasswd.password.wrong"):
    """The name is unknown, or the password is wrong."""

    message = "Wrong username or password."
