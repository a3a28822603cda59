"""A mail server that keeps what it receives."""

import re
import socketserver
import threading

WAIT_SECONDS = 10


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.mails, self.arrived, self.delay = [], threading.Condition(), threading.Event()
        self.delay.set()  # cleared: mails are not taken until it is set
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def of(self, address):
        return [text for to, text in self.mails if to == address]

    def code(self, address, number=1):
        """Wait for a mail to this address, the first or a later one; return the code in it."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.of(address)) >= number, WAIT_SECONDS), self.mails
        return re.search(r"\b[0-9]{6}\b", self.of(address)[number - 1].split("\r\n\r\n", 1)[1])[0]


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.reply("220 ready")
        to = ""
        while line := self.rfile.readline().decode().strip():
            match line[:4].upper():
                case "RCPT":
                    to = re.search(r"<(.*)>", line)[1]
                case "DATA":
                    self.reply("354 go on")
                    text = "".join(iter(lambda: self.rfile.readline().decode(), ".\r\n"))
                    self.server.delay.wait(WAIT_SECONDS)
                    with self.server.arrived:
                        self.server.mails.append((to, text))
                        self.server.arrived.notify_all()
                case "QUIT":
                    self.reply("221 bye")
                    return
            self.reply("250 ok")

    def reply(self, text):
        self.wfile.write(f"{text}\r\n".encode())
