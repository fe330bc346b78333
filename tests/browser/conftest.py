"""Real browsers: Vera's on the demo shop at 127.0.0.1, where the widget comes from localhost; Ann's in the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Server, chromium
from pages import HostPages, Inbox, Noise, Shop
from playwright.sync_api import Browser, BrowserContext, BrowserType, expect

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
# Playwright's own list of features switches storage partitioning off, and then a frame of another site has no storage
# at all. Browsers do partition it, so we give a list of our own (the last one counts) and keep theirs for `refusing`.
# The last two are lists below the address bar that each new window draws and nobody sees: two thirds of its work.
OFF = (
    "--disable-features=HttpsUpgrades,Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,PaintHolding"
    ",WebUIOmniboxPopup,WebUIOmniboxAimPopup"
)
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's own Chromium; without one, Playwright's."""
    found = chromium()
    return browser_type_launch_args | {"args": [*FLAGS, OFF]} | ({"executable_path": found} if found else {})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on both loopbacks, for a module of browser tests."""
    with Server(tmp_path_factory.mktemp("server"), HOST=None) as running:
        yield running


@pytest.fixture
def noise() -> Noise:
    """All that any page has logged; a test that asserts `not noise.heard` says that it must be nothing."""
    return Noise()


@pytest.fixture
def contexts(browser: Browser, noise: Noise) -> Iterator[Any]:
    """Makes browser profiles, each as fresh as a new machine."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        made.append(browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **options}))
        noise.listen(made[-1])
        return made[-1]

    yield make
    for context in made:
        context.close()


@pytest.fixture
def refusing(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], noise: Noise
) -> Iterator[BrowserContext]:
    """A browser that refuses frames of other sites all storage, locks and channels."""
    browser = browser_type.launch(
        **browser_type_launch_args | {"args": [*FLAGS, OFF + ",ThirdPartyStoragePartitioning"]}
    )
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    noise.listen(context)
    yield context
    browser.close()


@pytest.fixture
def vera(contexts: Any, server: Server) -> Shop:
    """Vera, looking at the demo shop."""
    return Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit()


@pytest.fixture
def ann(contexts: Any, server: Server) -> Inbox:
    """Ann, signed in."""
    return Inbox(contexts().new_page(), f"http://localhost:{server.port}").sign_in()


@pytest.fixture
def host_pages() -> Iterator[HostPages]:
    """A customer's own site on another port."""
    with HostPages() as pages:
        yield pages
