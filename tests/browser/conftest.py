"""A real browser before a real server that shares this process's test database."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from marketplace.asgi import application

START_S_MAX = 20


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or Playwright's own where there is none.

    Not for the whole session: its event loop would stay on the thread that asynchronous tests need.
    """
    system = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        # Root may not use Chromium's sandbox; it only ever sees our own pages here.
        browser = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def site(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the site, served by uvicorn as it is in production."""
    # Playwright keeps an event loop on this thread, which Django takes for asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S_MAX
    while not server.started and time.monotonic() < deadline:
        thread.join(0.05)
    assert server.started, "The server did not start."
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    """A fresh window in which any script error or refused script fails the test."""
    context = chromium.new_context(base_url=site, permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(10_000)
    window = context.new_page()
    problems: list[str] = []
    window.on("pageerror", lambda error: problems.append(str(error)))
    window.on(
        "console", lambda line: problems.append(line.text) if "Security Policy" in line.text else 0
    )
    yield window
    context.close()
    assert problems == []
