"""The errors of the audit log."""

from __future__ import annotations

from visado import errors


class LogUnwritable(errors.Unavailable, id="audit.log.unwritable", code=0x05008001):
    """An event could not be written to the audit log; the log of the host says why."""

    message = "The audit log cannot be written: {reason}."
