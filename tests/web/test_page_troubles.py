"""What the page does when a server refuses, is busy, forgets, ends, wants a token, or has another kind of model."""

from __future__ import annotations

import io
import re
from collections.abc import Generator

import pytest
from PIL import Image
from playwright.sync_api import Route

from tests.web.browsing import EMBED, NAME, running, segmenters
from tests.web.conftest import Opening
from zeroseg.web.api import Served
from zeroseg.web.guard import Door
from zeroseg.web.limits import Limits


def noise(width: int, height: int, kind: str) -> bytes:
    """The file of a picture."""
    Image.effect_noise((width, height), 60).save(buffer := io.BytesIO(), format=kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def strict() -> Generator[str]:
    """A server with narrow limits that keeps one embedding."""
    served = Served(segmenters(), Limits(megapixels=1.0, kept=1), Door(bytes=2_000_000))
    with running(served) as url:
        yield url


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no picture", "is not a picture that can be read"),
        (noise(1500, 1000, "JPEG"), r"1\.5 megapixels, more than 1: make it smaller\."),
        (noise(2000, 2000, "BMP"), "larger than 2,000,000 bytes|too large"),
    ],
    ids=["text", "megapixels", "bytes"],
)
def test_what_is_no_photo_or_too_large_is_said_in_a_sentence(
    opened: Opening, strict: str, content: bytes, sentence: str
):
    seen = opened(strict)
    seen.refused = True
    seen.give("drop", content)
    seen.wait_for("document.querySelector('#alert').matches('.trouble')")
    assert re.search(sentence, seen.text("#alert-text"))
    assert not seen.page.locator("#again").is_visible()
    assert not seen.page.locator("#stage").is_visible()
    seen.sample()
    assert not seen.page.locator("#alert").is_visible()


def test_a_refused_photo_does_not_take_the_place_of_the_one_before(opened: Opening, strict: str):
    """What is seen, named and saved stays one photo; the words stay in any case."""
    seen = opened(strict)
    seen.refused = True
    seen.page.locator("#words-input").fill("cat, dog,")
    seen.give("drop", noise(1500, 1000, "JPEG"))
    seen.wait_for("document.querySelector('#alert').matches('.trouble')")
    assert (seen.words(), seen.page.locator("#stage").is_visible()) == (["cat", "dog"], False)
    seen.sample()
    before = seen.overlay()
    seen.give("drop", noise(1500, 1000, "JPEG"))
    seen.wait_for("document.querySelector('#alert').matches('.trouble')")
    seen.settle()
    assert seen.page.locator("canvas.photo").evaluate("canvas => [canvas.width, canvas.height]") == [451, 300]
    assert seen.overlay() == before
    assert "megapixels" in seen.text("#alert-text")  # also after the masks were drawn again


def test_a_busy_server_is_asked_again(opened: Opening):
    seen = opened()
    seen.refused = True
    answers = iter([429, 429])

    def busy(route: Route) -> None:
        status = next(answers, 0)
        if not status:
            route.continue_()
        else:
            body = '{"error": {"code": "busy", "message": "32 requests are waiting already: come again in 1 s."}}'
            route.fulfill(status=status, headers={"Retry-After": "1", "Content-Type": "application/json"}, body=body)

    seen.page.route("**/v1/name", busy)
    seen.page.locator("#samples li:nth-child(5) button").click()
    seen.wait_for("document.querySelector('#alert').matches('.waiting')")
    assert seen.text("#alert-text") == "The server is busy. It is asked again in 1 s."
    seen.settle()
    seen.wait_for("!document.querySelector('#alert').className")
    assert seen.asked(NAME) == 3


def test_an_embedding_that_is_no_longer_kept_is_made_again(opened: Opening, strict: str):
    seen = opened(strict)
    seen.refused = True
    seen.sample()
    other = opened(strict)
    other.sample("tiger.jpg")
    seen.type("ear")
    assert seen.asked(EMBED) == 2
    assert not seen.page.locator("#alert").is_visible()


def test_a_server_that_has_ended_is_said_and_asked_again(opened: Opening):
    with running(Served({"photos": segmenters()["photos"]})) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        seen = opened(url)
        seen.refused = True
        seen.sample()
        assert not seen.page.locator("#model").is_visible()  # nothing to choose
    seen.page.locator("#words-input").fill("ear,")
    seen.wait_for("document.querySelector('#alert').matches('.trouble')")
    assert seen.text("#alert-text") == "The server does not answer. Is it still running?"
    with running(Served({"photos": segmenters()["photos"]}), port):
        seen.page.get_by_role("button", name="Try again").click()
        seen.settle()
        assert seen.words() == ["cat", "dog", "bicycle", "ear"]
        assert not seen.page.locator("#alert").is_visible()


def test_a_word_that_is_refused_may_be_removed(opened: Opening):
    """Then nothing is wrong any more, also if no word is left."""
    seen = opened()
    seen.sample()
    seen.refused = True
    for _ in seen.words():
        seen.page.locator("#legend .remove").first.click()
    seen.page.locator("#words-input").fill("w" * 301)
    seen.page.keyboard.press("Enter")
    seen.page.get_by_text("has 301 letters").wait_for()
    seen.page.locator("#legend .remove").first.click()
    seen.page.get_by_text("has 301 letters").wait_for(state="hidden")
    assert seen.page.locator("#legend .remove").count() == 0


@pytest.mark.parametrize("right", ["secret", "тайна é"])
def test_a_token_is_asked_for_and_kept(opened: Opening, right: str):
    """Any letters; a header has bytes."""
    with running(Served(segmenters(), door=Door(token=right))) as url:
        seen = opened(url, ready=False)
        seen.refused = True
        dialog = seen.page.get_by_role("dialog", name="This server needs a token")
        dialog.wait_for()
        assert seen.violations() == []
        assert not seen.page.locator("#model").is_visible()  # it is not yet known what there is to choose
        for token in ("неверно", right):
            seen.page.get_by_label("Token", exact=True).fill(token)
            seen.page.keyboard.press("Enter")
            if token != right:
                seen.page.get_by_text("did not accept that token").wait_for()
        seen.page.wait_for_selector("#samples img")
        seen.sample()
        seen.page.reload()
        seen.page.wait_for_selector("#samples img")
        assert not dialog.is_visible()


def test_a_model_with_another_rule_has_no_threshold(opened: Opening):
    whole = segmenters()["picturebook"]
    paper = whole.reading(background=whole.rule("product"))
    with running(Served({"paper": paper})) as url:
        seen = opened(url)
        seen.sample()
        assert seen.page.locator("#margin").is_disabled()
        assert "another rule" in seen.text("#margin-reason")
