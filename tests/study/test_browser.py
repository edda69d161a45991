"""The voting page in a real browser: a whole study, and what people do to a page."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize

from tests.study.drawn import NAMES, drawn_study, side_of
from tests.web.browsing import AXE, CHROMIUM, NO_CHROMIUM, answering
from zeroseg.study import Answers, export_page, read_answers, read_questions, write_report
from zeroseg.study.app import app
from zeroseg.web.guard import Door, Guard

READY = "#compared:not(.waiting)"
PAUSE = 400  # milliseconds, a little more than the page's own
PHONE, DESKTOP = ViewportSize(width=360, height=740), ViewportSize(width=1280, height=800)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_study(tmp_path_factory.mktemp("drawn") / "study", 3, votes=2)


def running(study: Path) -> AbstractContextManager[str]:
    """The address of a server behind the guard, as `zeroseg study serve` has it."""
    return answering(Guard(app(study), Door()))


@pytest.fixture
def study(drawn: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn, tmp_path / "study")


@pytest.fixture
def page(browser: Browser, study: Path) -> Generator[Page]:
    """The page of the only rater of a study with three questions and three checks, which has no complaints."""
    complaints: list[str] = []
    token = Answers(study).invite(1)[0].token
    with running(study) as address, browser.new_context(viewport=DESKTOP) as context:
        context.on("console", lambda message: complaints.append(message.text))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        page = context.new_page()
        page.goto(f"{address}r/{token}")
        yield page
    assert [words for words in complaints if "ERR_INTERNET_DISCONNECTED" not in words] == []


def begin(page: Page) -> None:
    page.get_by_role("button", name="Begin").click()
    settle(page)


def settle(page: Page) -> None:
    """Until the question can be answered."""
    page.wait_for_selector(READY)
    page.wait_for_timeout(PAUSE)


def question(page: Page) -> str:
    """The id of the question that is shown."""
    return page.evaluate("order[at].id")


def stored(study: Path, count: int) -> dict[str, str]:
    """The votes of the study, when there are so many of them."""
    end, answers = time.monotonic() + 20, Answers(study)
    while len(answers.votes()) < count and time.monotonic() < end:
        time.sleep(0.02)
    return {vote.question: vote.side for vote in answers.votes()}


def violations(page: Page) -> list[str]:
    """What axe-core finds, in a few words each."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document)")
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found["violations"]]


def test_a_study_of_40_pictures_and_5_raters_from_new_to_report(browser: Browser, tmp_path: Path):
    """Each has a link; they vote with keys, at the same time; the last one does not look, and fails the checks."""
    answers, draw = Answers(drawn_study(tmp_path / "study", 40)), np.random.default_rng(0)
    raters = answers.invite(5)
    expected: dict[tuple[str, str], str] = {}
    with running(answers.folder) as address:
        contexts = [browser.new_context(viewport=DESKTOP) for _ in raters]
        pages = [context.new_page() for context in contexts]
        for page, rater in zip(pages, raters, strict=True):
            page.goto(f"{address}r/{rater.token}")
            page.get_by_role("button", name="Begin").click()
        for number in range(44):
            for page in pages:
                page.wait_for_selector(READY)
            pages[-1].wait_for_timeout(PAUSE)
            for page, rater in zip(pages, raters, strict=True):
                shown = question(page)
                prefers = NAMES[int(draw.random() > 0.677)]
                side = side_of(answers.key, shown, prefers)
                if rater == raters[-1]:
                    right = side if shown not in answers.key.real else ("left", "right")[number % 2]
                    side = "left" if right == "right" else "right"
                page.keyboard.press({"left": "ArrowLeft", "right": "ArrowRight"}[side])
                expected[rater.name, shown] = side
        for page in pages:
            page.get_by_text("Your 44 answers are stored").wait_for()
        for context in contexts:
            context.close()
    assert {(vote.rater, vote.question): vote.side for vote in answers.votes()} == expected
    (line,) = write_report(answers.folder, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    assert "of 160 votes" in line
    assert "5 raters gave 200 votes on 40 pictures" in text
    assert "Of the raters, 1 failed" in text
    won = sum(
        answers.key.questions[name].model("left" if side == "left" else "right") == NAMES[0]
        for (rater, name), side in expected.items()
        if rater != raters[-1].name and name in answers.key.real
    )
    assert f"{won} of 160" in text


def test_click_double_click_reload_back_and_change_of_mind(page: Page, study: Path):
    begin(page)
    first = question(page)
    page.get_by_role("button", name="the left one").dblclick()
    settle(page)
    assert page.locator("#place").inner_text() == "2 of 6", "the second click answers nothing"
    second = question(page)
    page.keyboard.press("2")
    settle(page)
    assert stored(study, 2) == {first: "left", second: "right"}
    page.reload()
    settle(page)
    assert page.locator("#place").inner_text() == "3 of 6"
    page.go_back()
    settle(page)
    assert question(page) == second
    assert page.get_by_role("button", name="the right one").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="← back").click()
    settle(page)
    page.get_by_role("button", name="the right one").click()
    settle(page)
    assert question(page) == second
    end = time.monotonic() + 20
    while stored(study, 2)[first] != "right" and time.monotonic() < end:
        time.sleep(0.02)
    assert stored(study, 2) == {first: "right", second: "right"}


def test_keyboard_alone_and_what_a_screen_reader_hears(page: Page, study: Path):
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.id") == "question"
    left = page.get_by_role("img", name="The left segmentation")
    assert left.is_visible()
    names = page.get_by_role("list", name="Names in it").first.get_by_role("listitem").all_inner_texts()
    legend = next(one for one in read_questions(study).questions if one.id == question(page)).left_legend
    assert [name.split()[-1] for name in names] == [row.fraction.split()[-1] for row in legend]
    page.get_by_role("button", name="The left segmentation, larger").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert page.locator("#place").inner_text() == "1 of 6", "nothing is answered behind the large picture"
    page.get_by_role("checkbox").uncheck()
    page.keyboard.press("1")
    assert page.locator("#place").inner_text() == "1 of 6", "keys can be switched off"
    page.get_by_role("button", name="the left one").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator("#place").inner_text() == "2 of 6"


def test_without_a_connection_answers_wait_and_nothing_is_lost(page: Page, study: Path):
    begin(page)
    lost: list[str] = []

    def lose(route: Route) -> None:
        lost.append(route.request.url)
        route.abort("internetdisconnected")

    page.route("**/votes/*", lose)
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(PAUSE)
        if page.locator("#ask").is_visible():
            settle(page)
    assert "not stored yet" in page.locator("#stored").inner_text()
    assert lost
    assert Answers(study).votes() == []
    page.unroute("**/votes/*")
    page.get_by_text("Your 6 answers are stored").wait_for()
    assert set(stored(study, 6).values()) == {"left"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_part_fits_and_axe_finds_nothing(page: Page, size: ViewportSize, scheme: str):
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    assert violations(page) == []
    begin(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for button in page.locator(".choice").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= size["height"], "one can vote without scrolling"
    assert violations(page) == []
    for _ in range(6):
        page.locator(".choice.left").click()
        page.wait_for_timeout(PAUSE)
    page.get_by_text("answers are stored").wait_for()
    assert violations(page) == []


def test_nothing_that_the_browser_gets_tells_a_model(page: Page):
    begin(page)
    page.keyboard.press("1")
    settle(page)
    said = page.content() + page.evaluate("JSON.stringify([data, performance.getEntries()])")
    assert not [word for word in (*NAMES, "photo 1", "zeroseg", "scrambled") if word.lower() in said.lower()]
    addresses = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert {re.sub(r"^http://localhost:\d+", "", one).split("/")[1] for one in addresses} <= {
        *("pictures", "voting.css", "voting.js", "r")
    }


def test_the_page_without_a_server(browser: Browser, study: Path, tmp_path: Path):
    """It is a file: answers stay in the browser, and are downloaded at the end for `zeroseg study import`."""
    export_page(study, tmp_path / "page")
    with browser.new_context(viewport=DESKTOP) as context:
        page = context.new_page()
        page.goto((tmp_path / "page" / "index.html").as_uri())
        page.get_by_label("Your name").fill("Ann  Example")
        begin(page)
        asked = page.evaluate("order.map((one) => one.id)")
        page.keyboard.press("ArrowRight")
        settle(page)
        page.goto((tmp_path / "page" / "index.html").as_uri())
        assert page.get_by_label("Your name").input_value() == "Ann Example"
        begin(page)
        assert page.locator("#place").inner_text() == "2 of 6"
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
            page.wait_for_timeout(PAUSE)
            if page.locator("#ask").is_visible():
                settle(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download your answers").click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
    assert path.name == "answers-Ann-Example.json"
    votes = read_answers(path, Answers(study).key)
    assert {vote.question: vote.side for vote in votes} == dict(zip(asked, ["right", *["left"] * 5], strict=True))
    assert json.loads(path.read_text())["rater"] == "Ann Example"
