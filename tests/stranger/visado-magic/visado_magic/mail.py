"""Mails from a queue: who writes one waits for no mail server."""

import asyncio
import logging
import smtplib
import ssl
from email.message import EmailMessage

from visado import errors

from visado_magic.settings import MagicSection

_log = logging.getLogger(__name__)


class Mailer:
    """Sends mails one after the other, in a thread."""

    def __init__(self, section: MagicSection) -> None:
        self._section = section
        self._queue = asyncio.Queue[tuple[str, str]](1000)
        self.problem: str | None = None

    def ready(self) -> None:
        """Raise an error if there is no place for another mail."""
        if self._queue.full():
            raise errors.Overloaded

    def put(self, address: str, text: str) -> None:
        """Send a text to an address, soon."""
        self._queue.put_nowait((address, text))

    async def run(self) -> None:
        """Send mails until the task is cancelled."""
        while True:
            address, text = await self._queue.get()
            try:
                await asyncio.to_thread(self._send, address, text)
                self.problem = None
            except (OSError, smtplib.SMTPException, ValueError) as error:
                self.problem = f"mails cannot be sent: {type(error).__name__}"  # its text may name the address
                _log.warning("%s", self.problem)

    def _send(self, address: str, text: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._section.sender, address, "Your code"
        mail.set_content(text)
        host, port = self._section.smtp.split(":")
        with smtplib.SMTP(host, int(port), timeout=10) as smtp:
            if self._section.starttls:
                smtp.starttls(context=ssl.create_default_context())
            smtp.send_message(mail, to_addrs=[address])
