"""A real browser for the pages: Debian's ``chromium`` without a screen, led over its DevTools protocol."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""


@dataclass
class Tab:
    """An open page: what it said on its console, what it asked for, and any question about its document."""

    socket: ClientConnection
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; events that come meanwhile are kept."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv(timeout=30))
            if said.get("id") == number:
                assert "error" not in said, said
                return dict(said["result"])
            self.events.append(said)

    def visit(self, file: Path, width: int) -> None:
        """Load a file in a window so many pixels wide, and wait until it is drawn."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )  # fmt: skip
        self.events.clear()
        self.call("Page.navigate", url=file.as_uri())
        self._wait_for("Page.loadEventFired")
        self.ask("document.fonts.ready.then(() => true)")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of what it promises."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """What the page complained of on its console or in the log."""
        named = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [json.dumps(said["params"]) for said in self.events if said.get("method") in named]

    def requests(self) -> list[str]:
        """The addresses the page asked for."""
        named = "Network.requestWillBeSent"
        return [said["params"]["request"]["url"] for said in self.events if said.get("method") == named]

    def picture(self) -> bytes:
        """The whole page as it is seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def pdf_pages(self) -> bytes:
        """The page printed on A4."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def _wait_for(self, method: str) -> None:
        while not any(said.get("method") == method for said in self.events):
            self.events.append(json.loads(self.socket.recv(timeout=30)))


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """A browser with one empty tab, gone afterwards."""
    run = subprocess.Popen(
        [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
         "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with connect(_address(folder / "DevToolsActivePort"), max_size=None, proxy=None) as socket:
            yield Tab(socket)
    finally:
        run.terminate()
        run.wait(timeout=20)


def _address(file: Path) -> str:
    for _ in range(200):
        if file.exists() and "\n" in file.read_text():
            break
        time.sleep(0.1)
    port = file.read_text().splitlines()[0]
    with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:  # our own browser, on this machine
        tabs = json.load(answer)
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
