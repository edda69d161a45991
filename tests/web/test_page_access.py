"""Everybody can use the page: with a keyboard, a phone, a magnifier, or listening to it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Route

from tests.web.browsing import DESKTOP, PHONE
from tests.web.conftest import Opening
from zeroseg.web.api import SAMPLES

FOCUSED = """() => { const { id, dataset, parentElement } = document.activeElement;
    return id || dataset.of?.replace(" ", "-") || (parentElement?.parentElement?.id === "samples" ? "sample" : ""); }"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_use_it(opened: Opening, viewport: Any, scheme: str):
    """axe-core finds nothing wrong, nothing is wider than the screen, and all that is pressed is large enough."""
    seen = opened(viewport=viewport, color_scheme=scheme, has_touch=viewport is PHONE)
    assert seen.violations() == []
    seen.give("drop", (SAMPLES / "tiger.jpg").read_bytes(), "a" * 80 + ".jpg")
    seen.type("tiger, snow, zebra, xyzzyq, a very long name of something without end: thing, another thing")
    seen.page.get_by_role("button", name="snow", exact=True).first.click()
    seen.compare()
    seen.give("drop", b"")
    seen.slide("#margin", 10)
    seen.page.locator("#view").focus()
    seen.page.keyboard.press("ArrowLeft")
    assert seen.violations() == []
    width = viewport["width"]
    assert seen.page.evaluate("() => document.documentElement.scrollWidth") == width
    if viewport is PHONE:
        small = seen.page.evaluate(
            """() => [...document.querySelectorAll("button, select, label.switch, #whose label, input")]
            .filter((one) => one.offsetParent && !one.matches(".unseen, [role], [type=radio]"))
            .filter((one) => Math.min(one.offsetHeight, one.offsetWidth) < 44).map((one) => one.outerHTML)"""
        )
        assert small == []


def test_the_keyboard_reaches_everything(opened: Opening):
    seen = opened()
    seen.page.keyboard.press("Tab")
    assert seen.page.locator(":focus").inner_text() == "Skip to the words"
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate(FOCUSED) == "file"  # the first thing that a person needs
    seen.page.keyboard.press("Shift+Tab")
    seen.page.keyboard.press("Enter")
    assert seen.page.locator(":focus").get_attribute("id") == "words-input"
    seen.sample()
    seen.page.locator("h1").click()
    reached = list[str]()
    for _ in range(40):
        seen.page.keyboard.press("Tab")
        reached.append(seen.page.evaluate(FOCUSED))
    expected = ["view", "file", "words-input", "cat", "remove-cat", "compare", "margin", "opacity", "format", "save"]
    assert [name for name in reached if name in expected][: len(expected)] == expected
    assert reached.index("file") + 1 == reached.index("sample")  # another photo comes before the samples


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_download_is_in_sight_with_five_words(opened: Opening, viewport: Any):
    seen = opened(viewport=viewport)
    seen.sample("castle.jpg")
    assert len(seen.words()) == 5
    assert seen.in_sight("#save")
    assert seen.in_sight("#format")
    assert seen.in_sight("#view")


def test_all_samples_are_in_sight_on_a_tablet(opened: Opening):
    seen = opened(viewport={"width": 768, "height": 1024})
    seen.sample()
    assert seen.in_sight("#samples li:last-child img")


def test_the_picture_is_in_sight_when_two_sides_are_compared(opened: Opening):
    """Also in a window that is enlarged to 200 %."""
    seen = opened(viewport={"width": 640, "height": 400})
    seen.sample()
    seen.compare()
    assert seen.in_sight("#view")


def test_two_lists_of_words_have_place_on_a_phone(opened: Opening):
    """While two sides are compared, only the picture and its line stay in place: less than half of the window."""
    seen = opened(viewport=PHONE, has_touch=True)
    seen.sample()
    seen.compare()
    style = "(it) => getComputedStyle(it).position"
    assert seen.page.locator("#downloads").evaluate(style) == "static"
    assert seen.page.locator("#stage").evaluate(style) == "sticky"
    assert seen.page.locator("#stage").evaluate("(it) => it.offsetHeight") < PHONE["height"] / 2


def test_work_that_takes_a_while_is_shown_and_said_once(opened: Opening):
    seen, held = opened(), list[Route]()
    seen.sample()
    sign = seen.page.locator("#view .work")
    assert not sign.is_visible()
    seen.page.route("**/v1/name", lambda route: held.append(route))
    seen.page.evaluate(
        """() => { const status = document.querySelector("#status"); window.said = [];
        new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true }); }"""
    )
    seen.page.locator("#words-input").fill("zebra,")
    row = seen.page.locator("#legend tr:has-text('zebra')")
    assert row.locator(".there").inner_text() == "…"  # at once
    assert "97 %" in seen.text("#legend")  # what is known of the others stays
    assert not sign.is_visible()
    sign.wait_for()
    assert sign.inner_text() == "Looking for \u2018zebra\u2019 …"
    assert seen.violations() == []
    held[0].continue_()
    seen.settle()
    assert not sign.is_visible()
    assert row.locator(".there").inner_text().endswith("%")
    said = seen.page.evaluate("() => said")
    assert sum("Looking for" in text for text in said) == 1
    assert said[-1].startswith("Found: cat")
