"""What raters see in a real browser, at sizes of a phone and of a desk: names, large pictures, and MTurk's template."""

from __future__ import annotations

import csv
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize

from tests.study.drawn import drawn_study
from tests.study.test_browser import DESKTOP, PAUSE, PHONE, running, settle, violations
from tests.web.browsing import CHROMIUM, NO_CHROMIUM
from zeroseg.study import Answers, export_mturk

URL = "https://pictures.example.org"
MANY = """[...Array(12).keys()].map((k) => (
    { label: `American Staffordshire terrier ${k}`, colour: k ? "#4488ee" : "none", fraction: "8%" }))"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_study(tmp_path_factory.mktemp("drawn") / "study", 3, votes=2)


@pytest.fixture
def page(browser: Browser, study: Path) -> Generator[Page]:
    """A rater's start page."""
    answers = Answers(study)
    token = (answers.raters() or answers.invite(1))[0].token
    with running(study) as address, browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        page.goto(f"{address}r/{token}")
        yield page


def bottom(part: Locator) -> float:
    box = part.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def top(part: Locator) -> float:
    box = part.bounding_box()
    assert box is not None
    return box["y"]


def test_enter_begins_wherever_nothing_else_has_the_focus(page: Page):
    """There is no field to type into, and the button need not be found first."""
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator("#place").inner_text() == "1 of 6"
    page.keyboard.press("Enter")
    page.wait_for_timeout(PAUSE)
    assert page.locator("#place").inner_text() == "1 of 6", "it answers nothing"


def test_on_a_phone_no_name_lies_under_the_buttons(page: Page):
    """A few names are in sight at once; of many long ones, the last can be scrolled to."""
    page.keyboard.press("Enter")
    settle(page)
    buttons, names = page.locator(".choices"), page.locator("figure .names li")
    assert max(map(bottom, names.all())) <= top(buttons), "without scrolling"
    page.evaluate(f"for (const side of SIDES) listNames($(`${{side}}-names`), {MANY})")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert bottom(names.last) > top(buttons)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("scrollY > 0")
    page.wait_for_timeout(PAUSE)  # it scrolls smoothly
    assert bottom(names.last) <= top(buttons)
    assert violations(page) == []


@pytest.mark.parametrize("size", [(320, 200), (640, 400), (740, 360)], ids=["400 %", "200 %", "a phone on its side"])
def test_pictures_stay_large_in_a_low_window(page: Page, size: tuple[int, int]):
    """The buttons cover nothing, and a picture is not much narrower than the window has place for."""
    page.set_viewport_size(ViewportSize(width=size[0], height=size[1]))
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(".choices").evaluate("(it) => getComputedStyle(it).position") == "static"
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator("#left").evaluate("(it) => it.getBoundingClientRect().width") > 190
    assert violations(page) == []


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_large_picture_has_its_names_in_sight(page: Page, size: ViewportSize):
    """Also twelve long ones, one of which is for what no name fits: its swatch is hollow. The picture has none."""
    page.set_viewport_size(size)
    page.keyboard.press("Enter")
    settle(page)
    page.evaluate(f"order[0].left_legend = {MANY}")
    page.get_by_role("button", name="The left segmentation, larger").click()
    names = page.get_by_role("dialog").get_by_role("listitem")
    assert names.count() == 12
    assert bottom(names.first) <= size["height"]
    hollow = page.locator("dialog .hollow")
    assert hollow.count() == 1
    assert hollow.evaluate("(swatch) => getComputedStyle(swatch).borderTopWidth") == "1px"
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="The picture, larger").click()
    assert page.get_by_role("dialog").is_visible()
    assert names.count() == 0


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_template_of_mechanical_turk_fits(browser: Browser, study: Path, tmp_path: Path, size: ViewportSize):
    """As Mechanical Turk fills it; on a phone, segmentations are as wide as the screen, one below the other."""
    export_mturk(study, tmp_path / "mturk", URL, 4)
    with (tmp_path / "mturk" / "mturk.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    text = (tmp_path / "mturk" / "mturk.html").read_text(encoding="utf-8")
    for column, cell in row.items():
        text = text.replace(f"${{{column}}}", cell.replace(URL, "pictures"))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>A task</title>'
    filled = tmp_path / "mturk" / "filled.html"
    form = text.partition("</script>")[2].replace("crowd-form", "form")
    filled.write_text(f'<!doctype html><html lang="en"><head>{head}</head><body>{form}</body></html>', encoding="utf-8")
    with browser.new_context(viewport=size) as context:
        page = context.new_page()
        page.goto(filled.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        left = page.get_by_role("img", name="The left segmentation").first
        right = page.get_by_role("img", name="The right segmentation").first
        places = [one.bounding_box() or {"width": 0.0, "x": 0.0} for one in (left, right)]
        assert (places[0]["x"] == places[1]["x"]) == (size == PHONE)
        assert min(place["width"] for place in places) > 300
        said = "the upper one" if size == PHONE else "the left one"
        assert page.get_by_role("group").first.get_by_role("radio", name=said, exact=True).is_visible()
        assert violations(page) == []
