# SPDX-License-Identifier: BSD-2-Clause
"""A headless Chromium, steered through chromedriver by the W3C's WebDriver protocol."""

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.parse

import harness
from harness import Failure, Skip, wait_for

PATIENCE = 3 * harness.DEADLINE  # a browser that starts while others use the machine is slow
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for one
TAB, ENTER, BACKSPACE = "\ue004", "\ue007", "\ue003"

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-extensions", "--disable-sync", "--hide-scrollbars", "--mute-audio"]


def programs():
    """Chromium and its driver."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if not all(found):
        raise Skip("needs chromium and chromedriver")
    try:  # by that name the driver finds the browser
        socket.getaddrinfo("localhost", 80)
    except OSError:
        raise Skip("needs localhost in /etc/hosts")
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Browser:
    """One window. `spawn` starts a program as subprocess.Popen does; it is ended by close()."""

    def __init__(self, spawn=subprocess.Popen, width=1280, height=900):
        chromium, driver = programs()
        self.dir = tempfile.mkdtemp(prefix="penstock-browser-")
        self.session = None
        self.port = free_port()
        self.log = open(os.path.join(self.dir, "driver.log"), "wb")
        # Its files, and those of the browser, are in that directory.
        env = dict(os.environ, HOME=self.dir, TMPDIR=self.dir, XDG_CONFIG_HOME=self.dir,
                   XDG_CACHE_HOME=self.dir)
        self.driver = spawn([driver, "--port=%d" % self.port], stdin=subprocess.DEVNULL,
                            stdout=self.log, stderr=self.log, env=env)
        try:
            wait_for(self._is_up, "chromedriver to answer", PATIENCE)
            self._open(chromium, width, height)
        except BaseException:
            self.close()
            raise

    def _is_up(self):
        if self.driver.poll() is not None:
            raise Failure("chromedriver ended with status %d" % self.driver.returncode)
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def _open(self, chromium, width, height):
        options = {"binary": chromium,
                   "args": FLAGS + ["--window-size=%d,%d" % (width, height),
                                    "--user-data-dir=" + os.path.join(self.dir, "profile")]}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = "/session/" + made["sessionId"]

    def _ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            c.request(method, path, None if body is None else json.dumps(body),
                      {"Content-Type": "application/json"})
            answer = c.getresponse()
            said = json.loads(answer.read())["value"]
        finally:
            c.close()
        if answer.status != 200:
            raise Failure("%s %s: %s: %s" % (method, path, said["error"], said["message"]))
        return said

    def post(self, path, **body):
        return self._ask("POST", self.session + path, body)

    def close(self):
        try:
            if self.session:
                self._ask("DELETE", self.session)
        except (Failure, OSError, ValueError):
            pass
        self.driver.terminate()
        self.driver.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- what one does with it ----------------------------------------------------------------

    def go(self, url):
        self.post("/url", url=url)

    def run(self, script, *arguments):
        """The value of a function's body."""
        return self.post("/execute/sync", script=script, args=list(arguments))

    def wait(self, expression, expected=True, what=None):
        """Until a JavaScript expression has that value."""
        seen = [None]

        def there():
            seen[0] = self.run("return " + expression)
            return seen[0] == expected
        wait_for(there, lambda: "%s to be %r, it is %r" % (what or expression, expected, seen[0]),
                 PATIENCE)

    def text(self, selector):
        """What is seen of it; None: there is none of these."""
        return self.run("const e = document.querySelector(arguments[0]); "
                        "return e && e.innerText.trim()", selector)

    def find(self, selector):
        return self.post("/element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        self.post("/element/%s/click" % self.find(selector))

    def type(self, text, selector=None):
        """Into that element, or whichever has the focus."""
        element = self.find(selector) if selector else \
            self._ask("GET", self.session + "/element/active")[ELEMENT]
        self.post("/element/%s/value" % element, text=text)

    def command(self, name, **parameters):
        """One of the DevTools protocol."""
        return self.post("/goog/cdp/execute", cmd=name, params=parameters)

    def theme(self, name):
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": name}])

    def screen(self, width, height, mobile=False, scale=1):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=scale, mobile=mobile)

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))

    # --- what it has noticed -------------------------------------------------------------------

    def console(self):
        """What pages have said since the last call, but for the browser's own: lines of text."""
        said = self.post("/se/log", type="browser")
        return ["%s: %s" % (e["level"], e["message"]) for e in said
                if not e["message"].startswith("chrome:")]

    def requests(self):
        """The addresses that were asked for since the last call, but for what the browser has."""
        urls = []
        for entry in self.post("/se/log", type="performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return [url for url in urls if not url.startswith(("chrome:", "data:"))]

    def hosts(self):
        return {urllib.parse.urlsplit(url).netloc for url in self.requests()}
