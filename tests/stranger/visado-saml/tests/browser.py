"""A real, headless Chromium, by its remote debugging (https://chromedevtools.github.io/devtools-protocol/)."""

import itertools
import json
import os
import re
import shutil
import subprocess
import time

from websockets.sync.client import connect

CHROMIUM = os.environ.get("CHROMIUM", shutil.which("chromium") or "/usr/bin/chromium")
WAIT_SECONDS = 20


class Chromium:
    def __init__(self, folder):
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        options += ["--disable-component-update", "--disable-sync", "--remote-debugging-port=0"]
        self._process = subprocess.Popen(
            [CHROMIUM, *options, f"--user-data-dir={folder}"], stderr=subprocess.PIPE, text=True
        )
        address = next(
            match[1] for line in self._process.stderr if (match := re.search(r"listening on (ws://\S+)", line))
        )
        self._socket = connect(address, proxy=None, max_size=None)
        self._ids, self._events = itertools.count(1), []

    def close(self):
        self._socket.close()
        self._process.kill()
        self._process.stderr.close()
        self._process.wait()

    def call(self, method, session=None, **params):
        """Run a command, and return its result. What happens meanwhile is kept for `wait`."""
        id_ = next(self._ids)
        self._socket.send(
            json.dumps({"id": id_, "method": method, "params": params, **({"sessionId": session} if session else {})})
        )
        while (message := json.loads(self._socket.recv(WAIT_SECONDS))).get("id") != id_:
            self._events.append(message)
        assert "error" not in message, message
        return message["result"]

    def wait(self, session, right):
        """Return the next event of a page for which `right(method, params)` is true; forget what happened before."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            message = self._events.pop(0) if self._events else json.loads(self._socket.recv(end - time.monotonic()))
            if message.get("sessionId") == session and (found := right(message["method"], message["params"])):
                return found

    def forget(self):
        """Forget what happened so far."""
        self._events.clear()

    def page(self, context=None):
        """Open a page, in a browser of its own (a `context`) unless it is given."""
        context = context or self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        return Page(self, context, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])


class Page:
    def __init__(self, chromium, context, session):
        self.chromium, self.context, self._session = chromium, context, session
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        return self.chromium.call(method, self._session, **params)

    def go(self, url):
        """Go to an address; wait for nothing."""
        self.chromium.forget()
        self.call("Page.navigate", url=url)
        return self

    def open(self, url):
        """Go to an address, and wait until its page, or the one to which it redirects, is loaded."""
        return self.go(url).loaded()

    def loaded(self):
        self.chromium.wait(self._session, lambda method, _: method == "Page.loadEventFired")
        return self

    def run(self, script):
        """Return what a script of the page gives."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def arrive(self, start):
        """Wait for the page at an address that begins so, wherever redirects and forms lead before it."""

        def right(method, params):
            return method == "Page.frameNavigated" and params["frame"]["url"].startswith(start)

        self.chromium.wait(self._session, right)
        return self.loaded()

    def press(self):
        """Press the button of the page."""
        self.chromium.forget()
        self.run("document.querySelector('button').click()")
        return self

    def status_of(self, url):
        """Wait for the response of an address, even if it redirects; return its status."""

        def right(method, params):
            response = params.get({"Network.requestWillBeSent": "redirectResponse"}.get(method, "response"))
            return response["status"] if response and response.get("url") == url else None

        return self.chromium.wait(self._session, right)

    def cookies(self):
        cookies = self.chromium.call("Storage.getCookies", browserContextId=self.context)["cookies"]
        return {each["name"]: each for each in cookies}

    @property
    def url(self):
        return self.run("location.href")
