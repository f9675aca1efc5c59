# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headless Chromium, driven over a pipe by its DevTools protocol
(https://chromedevtools.github.io/devtools-protocol/)."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser",
                                    "google-chrome"])), None)
TIMEOUT = 120


class Browser:
    """One page. `requests` has all URLs that it has asked for, `errors` what its
    scripts threw and logged."""

    def __init__(self, width=1280, height=900):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.requests, self.errors = [], []
        self.n_sent, self.buffer = 0, b""
        from_us, self.to_it = os.pipe()
        self.from_it, from_it = os.pipe()
        # It reads descriptor 3 and writes 4.
        shell = 'exec "$@" 3<&%d 4>&%d' % (from_us, from_it)
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "bash", CHROMIUM, "--headless",
             "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync",
             "--host-resolver-rules=MAP * ~NOTFOUND",
             f"--user-data-dir={self.folder.name}",
             f"--window-size={width},{height}", "--remote-debugging-pipe",
             "about:blank"],
            pass_fds=[from_us, from_it], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(from_it)
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget",
                                 targetId=target["targetId"],
                                 flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Network", "Log":
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except OSError:
            self.process.kill()
        self.process.wait(TIMEOUT)
        os.close(self.to_it)
        os.close(self.from_it)
        self.folder.cleanup()

    def receive(self):
        end = time.monotonic() + TIMEOUT
        while b"\0" not in self.buffer:
            if not select.select([self.from_it], [], [],
                                 max(0, end - time.monotonic()))[0]:
                raise OSError("the browser does not answer")
            chunk = os.read(self.from_it, 1 << 20)
            if not chunk:
                raise OSError("the browser has ended")
            self.buffer += chunk
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def note(self, event):
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:2000])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(json.dumps(params["args"])[:2000])

    def call(self, name, **params):
        self.n_sent += 1
        number = self.n_sent
        message = {"id": number, "method": name, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to_it, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise OSError(f"{name}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def wait_for(self, method):
        while True:
            event = self.receive()
            self.note(event)
            if event.get("method") == method:
                return

    def open(self, path):
        self.requests.clear()
        self.call("Page.navigate", url=f"file://{path}")
        self.run("new Promise(done => document.readyState === 'complete' "
                 "? done() : addEventListener('load', () => done()))")

    def run(self, expression):
        """The value of a JavaScript expression, or of its promise."""
        answer = self.call("Runtime.evaluate", expression=expression,
                           returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=False)

    def click(self, x, y):
        for kind in "mousePressed", "mouseReleased":
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y,
                      button="left", clickCount=1)

    def drag(self, x0, x1, y):
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x0, y=y,
                  button="left", clickCount=1)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x1, y=y,
                  button="left")
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x1, y=y,
                  button="left", clickCount=1)

    def hover(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key):
        codes = {"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40,
                 "ArrowLeft": 37, "ArrowRight": 39}
        extra = ({"windowsVirtualKeyCode": codes[key]} if key in codes
                 else {"text": key})
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
