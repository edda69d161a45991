"""The page in a real browser, with a real server and the bundled models: photos, words, and how masks are drawn."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import Route

from tests.web.browsing import CAT, EMBED, NAME
from tests.web.conftest import Opening

HOLD_REST = """() => { window.kept = window.setTimeout;
    window.setTimeout = (work, wait) => (wait === 300 ? 0 : window.kept(work, wait)); }"""


def test_a_sample_is_segmented_by_its_words(opened: Opening):
    seen = opened()
    seen.sample()
    assert seen.words() == ["cat", "dog", "bicycle"]
    rows = seen.page.locator("#legend tbody tr")
    assert "97 %" in rows.nth(0).inner_text()
    assert "probably not there" in rows.nth(1).inner_text()
    assert rows.nth(1).get_by_role("meter").get_attribute("aria-valuenow") == "5"
    assert seen.share(seen.colour("cat")) > 0.9
    assert seen.text("#status").startswith("Found: cat 97 %. Not found: dog, bicycle.")
    seen.sample("horses.jpg")  # its words replace those of the first sample, which nobody has changed
    assert seen.words() == ["horse", "grass", "sky", "car"]
    assert seen.colour("horse") == 0x4488EE
    assert (seen.asked(EMBED), seen.asked(NAME)) == (2, 2)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted_and_words_are_typed(opened: Opening, kind: str):
    seen = opened()
    assert seen.page.locator("#words-input").get_attribute("placeholder") == "cat, tall tree"
    seen.give(kind)
    seen.wait_for("document.activeElement.id === 'words-input'")  # what comes next is words
    assert seen.asked(NAME) == 0
    seen.page.keyboard.type('cat, "salt, pepper", Cat, background,')
    seen.settle()
    assert seen.words() == ["cat", "salt, pepper"]
    assert seen.text("#words-note") == "Background is what no word fits: it needs no word."
    seen.page.keyboard.type("dog")
    seen.page.keyboard.press("Enter")
    seen.settle()
    assert not seen.page.locator("#words-note").is_visible()
    assert seen.asked(EMBED) == 1
    before = seen.colour("dog")
    seen.page.get_by_role("button", name="Remove salt, pepper").click()
    assert seen.colour("dog") == before  # a word keeps its colour
    seen.page.keyboard.press("Backspace")
    assert seen.words() == ["cat"]
    seen.settle()
    assert seen.page.locator("#legend tbody tr").count() == 1


def test_other_words_for_a_label_are_typed_as_in_files_of_labels(opened: Opening):
    """A comma after the colon does not end the label; they are sent, shown, and added to those of before."""
    seen = opened()
    seen.sample()
    with seen.page.expect_response("**/v1/name") as answer:
        seen.page.locator("#words-input").press_sequentially("bird, cat: kitten, tabby")
        assert seen.page.locator("#words-input").input_value() == "cat: kitten, tabby"
        seen.page.keyboard.press("Enter")
    seen.wait_for("document.querySelector('#legend .others')")
    seen.settle()
    assert seen.text("#legend .others") == "or kitten, tabby"
    question = answer.value.request.post_data_json or {}
    assert question["labels"][-1] == "bird"
    with seen.page.expect_response("**/v1/name") as answer:
        seen.type("cat: tabby, puss;")
    cat = {"label": "cat", "others": ["kitten", "tabby", "puss"]}
    assert (answer.value.request.post_data_json or {})["labels"] == [cat, "dog", "bicycle", "bird"]


def test_the_scale_of_the_threshold_stays(opened: Opening):
    """A person learns where on it something happens: neither words nor a photo move what was set."""
    seen = opened()
    margin = seen.page.locator("#margin")
    ends = "it => [it.min, it.value, it.max].map(Number)"
    assert margin.evaluate(ends) == [-40, 0, 40]
    seen.sample("coffee.jpg")
    assert margin.evaluate(ends) == [-40, 0, 40]
    seen.slide("#margin", 10)
    seen.sample("cows.jpg")  # something changes up to about 60 points here
    least, value, most = margin.evaluate(ends)
    assert value == 10
    assert -least == most > 55
    seen.sample("coffee.jpg")
    assert margin.evaluate(ends) == [least, 10, most]


def test_a_photo_that_comes_before_the_models_is_taken_later(opened: Opening):
    seen, held = opened(), list[Route]()
    seen.page.route("**/v1/models", lambda route: held.append(route))
    seen.page.reload()
    seen.page.wait_for_timeout(300)
    seen.give("drop")
    assert (len(held), seen.asked(EMBED)) == (1, 0)
    held[0].continue_()
    seen.wait_for("document.activeElement.id === 'words-input'")
    assert seen.asked(EMBED) == 1


def test_a_photo_is_chosen_and_an_unknown_word_is_said(opened: Opening):
    seen = opened()
    seen.page.locator("#words-input").fill("cat, xyzzyq")
    seen.page.keyboard.press("Enter")
    seen.page.locator("#file").set_input_files(CAT)
    seen.settle()
    assert "xyzzyq" in seen.text(".notes")
    seen.give("drop", b"")
    assert seen.text("#alert-text") == "Drop a file: pictures are not fetched from addresses."


def test_the_threshold_moves_the_masks_without_a_request(opened: Opening):
    seen = opened()
    seen.sample()
    cat, asked = seen.colour("cat"), seen.asked(NAME)
    before = seen.share(cat)
    seen.page.evaluate(HOLD_REST)
    shares = []
    for value in (12, 32, 37, 40):
        seen.slide("#margin", value)
        shares.append(seen.share(cat))
    assert before > shares[0] > shares[1] > shares[2] > shares[3]
    assert seen.asked(NAME) == asked
    seen.page.evaluate("() => { window.setTimeout = window.kept; }")
    seen.slide("#margin", 37)  # and now it rests
    with seen.page.expect_response("**/v1/name") as answer:
        pass
    assert (answer.value.request.post_data_json or {})["margin"] == 35
    seen.settle()
    assert seen.share(cat) == pytest.approx(shares[2], abs=0.15)
    assert seen.text("#margin-value") == "+37"
    assert seen.text("#margin-hint").endswith("must lead the background: 35.")
    seen.page.locator("#margin-reset").click()
    seen.settle()
    assert seen.text("#margin-hint").endswith("must lead the background: \u22122, the model\u2019s own.")


def test_opacity_and_the_legend_change_the_drawing_without_a_request(opened: Opening):
    seen = opened()
    seen.sample("tiger.jpg")
    asked = seen.asked(NAME)
    seen.slide("#opacity", 100)
    assert seen.alpha() == 255
    seen.slide("#opacity", 40)
    assert seen.alpha() == 102
    assert seen.text("#opacity-value") == "40 %"
    toggle = seen.page.get_by_role("button", name="tiger", exact=True)
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == "false"
    assert toggle.get_attribute("title") == "Show tiger"
    seen.page.locator("h1").hover()
    assert seen.share(seen.colour("tiger")) < 0.01
    toggle.click()
    seen.page.locator("h1").hover()
    assert seen.share(seen.colour("tiger")) > 0.2
    seen.page.get_by_role("button", name="snow", exact=True).click()
    assert seen.alpha() == 102  # that of the tiger: a hidden word at which a person points dims no other
    assert seen.asked(NAME) == asked


def test_doubtful_words_are_drawn_if_a_person_wants_them(opened: Opening):
    seen = opened()
    seen.sample()
    assert seen.page.locator("#legend .missing").count() == 2
    with seen.page.expect_response("**/v1/name") as answer:
        seen.page.get_by_role("switch", name="Doubtful words, too").check()
    assert (answer.value.request.post_data_json or {})["absent"] == "keep"
    seen.settle()
    assert "probably not there" not in seen.text("#legend")


def test_pointer_and_keys_read_what_is_there(opened: Opening):
    seen = opened()
    seen.sample("tiger.jpg")
    view = seen.page.locator("#view")
    box = view.bounding_box()
    assert box is not None
    view.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    seen.wait_for("document.querySelector('#readout').textContent.startsWith('tiger ')")
    seen.page.locator("h1").hover()
    seen.wait_for("document.querySelector('#readout').hidden")
    view.focus()
    seen.page.keyboard.press("ArrowLeft")
    assert seen.text("#spoken").startswith("tiger ")
    for _ in range(25):
        seen.page.keyboard.press("ArrowLeft")
    assert seen.text("#spoken").startswith("snow ")
    seen.page.keyboard.press("Escape")
    assert not seen.page.locator("#cross").is_visible()


def test_a_large_photo_is_drawn_smaller_and_read_exactly(opened: Opening):
    """A column of 8 pixels of 4,000: the drawing has 1,600 of them, and no larger masks are asked for."""
    seen, buffer = opened(), io.BytesIO()
    Image.new("RGB", (4000, 400), (90, 140, 60)).save(buffer, format="JPEG")
    seen.give("drop", buffer.getvalue(), "long.jpg")
    with seen.page.expect_response("**/v1/name") as answer:
        seen.type("grass")
    assert (answer.value.request.post_data_json or {})["longest"] == 1600
    mask = answer.value.json()["mask"]
    assert (mask["width"], mask["height"]) == (1600, 160)
    assert seen.page.locator("canvas.photo").evaluate("canvas => [canvas.width, canvas.height]") == [1600, 160]
    seen.page.locator("#view").focus()
    seen.page.keyboard.press("Shift+ArrowRight")
    seen.page.keyboard.press("Shift+ArrowRight")
    left = seen.page.locator("#cross").evaluate(
        "cross => parseFloat(cross.style.left) / cross.parentElement.clientWidth"
    )
    assert left == pytest.approx(2002.5 / 4000, abs=1e-6)
    assert seen.text("#spoken").startswith(("grass ", "background "))
