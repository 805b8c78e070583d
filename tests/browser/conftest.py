"""A real browser before a real server that shares this process's test database."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.asgi import application
from tests.browser import processor
from tests.marketplace.browsers import enter as enter_by
from tests.ports import free_port

#: a machine may be busy with many other things
START_S_MAX = 60
TIMEOUT_MS = 30_000
#: waited for, as the button says "Copied" for a moment only
IN_CLIPBOARD = "text => navigator.clipboard.readText().then((found) => found === text)"
Enter = Callable[[Page, User], None]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or Playwright's own where there is none.

    Not for the whole session: its event loop would stay on the thread that asynchronous tests need.
    """
    system = shutil.which("chromium") or shutil.which("chromium-browser")
    expect.set_options(timeout=TIMEOUT_MS)
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
    # Numbers of the market that another test counted are kept for a minute.
    cache.clear()
    port = free_port()
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=port,
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=2,
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
    context.set_default_timeout(TIMEOUT_MS)
    window = context.new_page()
    problems: list[str] = []
    window.on("pageerror", lambda error: problems.append(str(error)))
    window.on(
        "console", lambda line: problems.append(line.text) if "Security Policy" in line.text else 0
    )
    yield window
    context.close()
    assert problems == []


@pytest.fixture
def enter(site: str) -> Enter:
    """Log a person in without the form: ``enter(page, alice)``."""

    def _enter(page: Page, user: User) -> None:
        session = enter_by(Client(), user).cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": site}])

    return _enter


@pytest.fixture
def stripe(site: str, settings: Settings) -> Iterator[None]:
    """The site takes cards and pays hosts, by the stand-in."""
    with processor.running(site) as url:
        settings.PUBLIC_URL = site
        settings.TEST_PAYMENTS = False
        settings.STRIPE_API_URL = url
        settings.STRIPE_SECRET_KEY = "sk_test_berth"
        settings.STRIPE_WEBHOOK_SECRET = "whsec_berth"
        settings.STRIPE_CONNECT_WEBHOOK_SECRET = "whsec_berth_connect"
        yield


@pytest.fixture
def other_page(page: Page, site: str) -> Iterator[Page]:
    """A window of somebody else."""
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(base_url=site)
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def without_scripts(chromium: Browser, site: str) -> Iterator[Page]:
    """A window of somebody who runs no scripts."""
    context = chromium.new_context(base_url=site, java_script_enabled=False)
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()
