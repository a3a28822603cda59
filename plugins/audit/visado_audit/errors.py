"""The errors of visado-audit."""

from __future__ import annotations

from visado import errors


class LogUnwritable(errors.Unavailable, id="audit.log.unwritable", code=0x05008001):
    """An event could not be written to the audit log. The host's log has the reason."""

    message = "The audit log cannot be written: {reason}."
