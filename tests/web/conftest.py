"""The server and the browser of the tests of the page; both begin when the first of these tests does."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.web.browsing import CHROMIUM, DESKTOP, NO_CHROMIUM, Seen, running, segmenters
from zeroseg.web.api import Served


class Opening(Protocol):
    """Opens a page; `settings` are those of a browser context."""

    def __call__(self, at: str | None = None, ready: bool = True, **settings: Any) -> Seen:
        """With the page's own server, unless another address is given."""
        ...


@pytest.fixture(scope="session")
def address() -> Generator[str]:
    """Of a server with the bundled models."""
    with running(Served(segmenters())) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, not longer: while Playwright runs, other tests of the thread cannot run an event loop."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])


@pytest.fixture
def opened(browser: Browser, address: str) -> Generator[Opening]:
    """Opens pages; at the end their consoles must have said nothing, and no policy was violated."""
    pages = list[Seen]()
    with ExitStack() as stack:

        def opening(at: str | None = None, ready: bool = True, **settings: Any) -> Seen:
            context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **settings})
            stack.callback(context.close)
            seen = Seen(context.new_page())
            pages.append(seen)
            seen.page.goto(at or address)
            if ready:
                seen.page.wait_for_selector("#samples img")
            return seen

        yield opening
        assert [seen.complaints for seen in pages if seen.complaints] == []
