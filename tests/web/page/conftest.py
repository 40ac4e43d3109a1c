"""A real browser, and rooms to look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.cli.running import ServerProcess
from tests.web.page.screen import Screen, new_screen

Open = Callable[..., Screen]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # The same engine without a desktop's window around each page takes a third of the time.
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert chromium, "the page is tested in Chromium: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        # One process for the browser, its graphics and its network saves a tenth of a page's cost.
        options = ["--no-sandbox", "--in-process-gpu", "--enable-features=NetworkServiceInProcess2"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A room for all tests of a module: each has names and words of its own."""
    with ServerProcess() as server:
        yield server


@pytest.fixture
def open_page(browser: Browser, server: ServerProcess) -> Iterator[Open]:
    """Opens pages of the room; `path` and options of a browser context may be given."""
    with ExitStack() as stack:

        def open_one(path: str = "/", **options: Any) -> Screen:
            screen = stack.enter_context(new_screen(browser, **options))
            screen.open(server.port, path)
            return screen

        yield open_one


@pytest.fixture(scope="module")
def shared_page(browser: Browser, server: ServerProcess) -> Iterator[Screen]:
    with new_screen(browser) as screen:
        screen.open(server.port, "/#nick=mia")
        yield screen


@pytest.fixture
def mia(shared_page: Screen) -> Screen:
    """A page that the tests of a module share, since opening one is slow: at the end of the log,
    with nothing written.
    """
    shared_page.input.fill("")
    shared_page.input.press("Escape")
    return shared_page
