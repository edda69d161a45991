"""The page in a real browser, with a real server and the bundled models."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Route

from tests.web.browsing import CAT, DESKTOP, PHONE, Seen, running, segmenters
from tests.web.conftest import Opening
from zeroseg.web.api import SAMPLES, Served
from zeroseg.web.guard import Door
from zeroseg.web.limits import Limits

NAME, EMBED = "/v1/name", "/v1/embed"
DROP = """async ([content, name, kind]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const files = new DataTransfer();
    if (bytes.length) files.items.add(new File([bytes], name, { type: "image/jpeg" }));
    const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: files, bubbles: true })
        : new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
    document.querySelector("main").dispatchEvent(event); }"""


HOLD_REST = """() => { window.kept = window.setTimeout;
    window.setTimeout = (work, wait) => (wait === 300 ? 0 : window.kept(work, wait)); }"""
FOCUSED = "() => document.activeElement.id || document.activeElement.dataset.format || ''"


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


def give(seen: Seen, kind: str, content: bytes = CAT.read_bytes(), name: str = "my cat.jpg") -> None:
    """Drop or paste a file."""
    seen.page.evaluate(DROP, [base64.b64encode(content).decode(), name, kind])


def colour(seen: Seen, word: str) -> int:
    """The colour of a word's chip, as `Seen.overlay` gives it."""
    chip = seen.page.locator(f"#words .chip:has-text('{word}') .swatch")
    r, g, b = chip.evaluate("chip => getComputedStyle(chip).backgroundColor.match(/\\d+/g).map(Number)")
    return (r << 16) | (g << 8) | b


def share(seen: Seen, value: int, side: int = 0) -> float:
    """The fraction of the overlay that has about this colour: a browser rounds colours that are not opaque."""
    near = [all(abs((found >> s & 255) - (value >> s & 255)) <= 3 for s in (0, 8, 16)) for found in seen.overlay(side)]
    return sum(near) / len(near)


def test_a_sample_is_segmented_by_its_words(opened: Opening):
    seen = opened()
    seen.sample()
    assert seen.text("#words ul").split("\n")[::2] == ["cat", "dog", "bicycle"]
    rows = seen.page.locator("#legend tbody tr")
    assert "97 %" in rows.nth(0).inner_text()
    assert "probably not there" in rows.nth(1).inner_text()
    assert rows.nth(1).get_by_role("meter").get_attribute("aria-valuenow") == "5"
    assert share(seen, colour(seen, "cat")) > 0.9
    assert seen.text("#status").startswith("Found: cat 97 %. Not found: dog, bicycle.")
    seen.sample("horses.jpg")  # its words replace those of the first sample, which nobody has changed
    assert "horse" in seen.text("#words")
    assert "cat" not in seen.text("#words")
    assert colour(seen, "horse") == 0x4488EE
    assert (seen.asked(EMBED), seen.asked(NAME)) == (2, 2)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted_and_words_are_typed(opened: Opening, kind: str):
    seen = opened()
    give(seen, kind)
    seen.wait_for("document.activeElement.id === 'words-input'")  # what comes next is words
    assert seen.asked(NAME) == 0
    seen.page.keyboard.type('cat, "salt, pepper", Cat, background,')
    seen.settle()
    seen.wait_for("document.querySelector('#legend').innerText.includes('salt, pepper')")
    assert seen.text("#words ul").split("\n")[::2] == ["cat", "salt, pepper"]
    seen.page.keyboard.type("dog")
    seen.page.keyboard.press("Enter")
    seen.wait_for("document.querySelector('#legend').innerText.includes('dog')")
    assert seen.asked(EMBED) == 1
    before = colour(seen, "dog")
    seen.page.get_by_role("button", name="Remove salt, pepper").click()
    assert colour(seen, "dog") == before  # a word keeps its colour
    seen.page.keyboard.press("Backspace")
    assert seen.text("#words ul").split("\n")[::2] == ["cat"]
    seen.settle()
    assert seen.page.locator("#legend tbody tr").count() == 1


def test_a_photo_that_comes_before_the_models_is_taken_later(opened: Opening):
    seen, held = opened(), list[Route]()
    seen.page.route("**/v1/models", lambda route: held.append(route))
    seen.page.reload()
    seen.page.wait_for_timeout(300)
    give(seen, "drop")
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
    give(seen, "drop", b"")
    assert seen.text("#alert-text") == "Drop a file: pictures are not fetched from addresses."


def test_the_threshold_moves_the_masks_without_a_request(opened: Opening):
    seen = opened()
    seen.sample()
    cat, asked = colour(seen, "cat"), seen.asked(NAME)
    before = share(seen, cat)
    seen.page.evaluate(HOLD_REST)
    shares = []
    for value in (10, 30, 35, 40):
        seen.slide("#margin", value)
        shares.append(share(seen, cat))
    assert before > shares[0] > shares[1] > shares[2] > shares[3]
    assert seen.asked(NAME) == asked
    seen.page.evaluate("() => { window.setTimeout = window.kept; }")
    seen.slide("#margin", 35)  # and now it rests
    with seen.page.expect_response("**/v1/name") as answer:
        pass
    assert (answer.value.request.post_data_json or {})["margin"] == 35
    seen.settle()
    assert share(seen, cat) == pytest.approx(shares[2], abs=0.15)
    assert seen.text("#margin-value") == "35"
    seen.page.locator("#margin-reset").click()
    seen.settle()
    assert "the model" in seen.text("#margin-value")


def test_opacity_and_the_legend_change_the_drawing_without_a_request(opened: Opening):
    seen = opened()
    seen.sample("tiger.jpg")
    requests = len(seen.requests)
    seen.slide("#opacity", 100)
    assert seen.alpha() == 255
    seen.slide("#opacity", 40)
    assert seen.alpha() == 102
    assert seen.text("#opacity-value") == "40 %"
    toggle = seen.page.get_by_role("button", name="tiger", exact=True)
    toggle.click()
    assert toggle.get_attribute("aria-pressed") == "false"
    seen.page.locator("h1").hover()
    assert share(seen, colour(seen, "tiger")) < 0.01
    toggle.click()
    seen.page.locator("h1").hover()
    assert share(seen, colour(seen, "tiger")) > 0.2
    assert len(seen.requests) == requests


def test_doubtful_words_are_drawn_if_a_person_wants_them(opened: Opening):
    seen = opened()
    seen.sample()
    assert seen.page.locator("#legend .missing").count() == 2
    with seen.page.expect_response("**/v1/name") as answer:
        seen.page.get_by_role("switch", name="Draw doubtful words, too").check()
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
    assert seen.text("#readout").startswith("tiger ")
    seen.page.locator("h1").hover()
    assert not seen.page.locator("#readout").is_visible()
    view.focus()
    seen.page.keyboard.press("ArrowLeft")
    assert seen.text("#spoken").startswith("tiger ")
    for _ in range(25):
        seen.page.keyboard.press("ArrowLeft")
    assert seen.text("#spoken").startswith("snow ")
    seen.page.keyboard.press("Escape")
    assert not seen.page.locator("#cross").is_visible()


def test_a_large_photo_is_drawn_smaller_and_read_exactly(opened: Opening):
    """A column of 8 pixels of 4,000: the drawing has 1,600 of them."""
    seen, buffer = opened(), io.BytesIO()
    Image.new("RGB", (4000, 400), (90, 140, 60)).save(buffer, format="JPEG")
    give(seen, "drop", buffer.getvalue(), "long.jpg")
    seen.page.locator("#words-input").fill("grass,")
    seen.settle()
    assert seen.page.locator("canvas.photo").evaluate("canvas => [canvas.width, canvas.height]") == [1600, 160]
    seen.page.locator("#view").focus()
    seen.page.keyboard.press("Shift+ArrowRight")
    seen.page.keyboard.press("Shift+ArrowRight")
    left = seen.page.locator("#cross").evaluate(
        "cross => parseFloat(cross.style.left) / cross.parentElement.clientWidth"
    )
    assert left == pytest.approx(2002.5 / 4000, abs=1e-6)


def test_two_vocabularies_and_two_models_are_compared(opened: Opening):
    seen = opened()
    seen.sample("tiger.jpg")
    seen.page.get_by_role("switch", name="Compare").check()
    seen.wait_for("document.querySelector('#other-legend table') && !document.body.matches('.busy')")
    assert seen.asked(EMBED) == 2  # the second model's
    seen.page.get_by_label("Model of B").select_option("photos")
    seen.page.get_by_role("button", name="Remove snow").last.click()
    seen.settle()
    assert seen.asked(EMBED) == 2
    snow = colour(seen, "snow")
    assert share(seen, snow, side=0) > 0.5 > 0.1 > share(seen, snow, side=1)
    split, view = seen.page.locator("#split"), seen.page.locator("#view")
    assert split.get_attribute("aria-valuetext") == "A 50 %, B 50 % of the width"
    split.focus()
    seen.page.keyboard.press("Home")
    box = view.bounding_box()
    assert box is not None
    view.hover(position={"x": box["width"] * 0.1, "y": box["height"] * 0.9})
    assert seen.text("#readout").startswith(("background", "tiger"))  # of B, which does not look for snow
    seen.page.keyboard.press("End")
    seen.page.locator("h1").hover()
    view.hover(position={"x": box["width"] * 0.1, "y": box["height"] * 0.9})
    assert seen.text("#readout").startswith("snow ")
    seen.page.keyboard.press("ArrowLeft")
    seen.slide("#split", 50)
    handle = box["x"] + box["width"] / 2
    seen.page.mouse.move(handle, box["y"] + box["height"] / 2)
    seen.page.mouse.down()
    seen.page.mouse.move(handle + box["width"] / 4, box["y"] + 50)
    seen.page.mouse.up()
    assert split.input_value() == "75"
    seen.page.get_by_role("switch", name="Compare").uncheck()
    assert not seen.page.locator("#divider").is_visible()


def test_masks_are_downloaded(opened: Opening, tmp_path: Path):
    seen = opened()
    seen.sample()
    seen.page.get_by_text("Download", exact=True).click()
    buttons = seen.page.locator("#formats button")
    assert buttons.count() == 15

    def saved(text: str) -> Path:
        with seen.page.expect_download() as download:
            buttons.filter(has_text=text).first.click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    with Image.open(saved("Picture with masks")) as picture:
        assert (picture.format, picture.size) == ("PNG", (451, 300))
    with zipfile.ZipFile(saved("PNG in colours")) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".png"))
        assert Image.open(io.BytesIO(archive.read(name))).size == (451, 300)
    assert saved("LabelMe").name == "cat.json"
    seen.wait_for("document.querySelector('#status').textContent.includes('cat.json saved.')")


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
    give(seen, "drop", content)
    seen.wait_for("document.querySelector('#alert').matches('.trouble')")
    assert re.search(sentence, seen.text("#alert-text"))
    assert not seen.page.locator("#again").is_visible()
    seen.sample()
    assert not seen.page.locator("#alert").is_visible()


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
    seen.page.locator("#words-input").fill("ear,")
    seen.wait_for("document.querySelector('#legend').innerText.includes('ear')")
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
        seen.wait_for("document.querySelector('#legend').innerText.includes('ear')")
        assert not seen.page.locator("#alert").is_visible()


def test_a_token_is_asked_for_and_kept(opened: Opening):
    with running(Served(segmenters(), door=Door(token="secret"))) as url:
        seen = opened(url, ready=False)
        seen.refused = True
        dialog = seen.page.get_by_role("dialog", name="This server needs a token")
        dialog.wait_for()
        assert seen.violations() == []
        for token in ("wrong", "secret"):
            seen.page.get_by_label("Token", exact=True).fill(token)
            seen.page.keyboard.press("Enter")
            if token == "wrong":
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_use_it(opened: Opening, viewport: Any, scheme: str):
    """axe-core finds nothing wrong, nothing is wider than the screen, and all that is pressed is large enough."""
    seen = opened(viewport=viewport, color_scheme=scheme, has_touch=viewport is PHONE)
    assert seen.violations() == []
    give(seen, "drop", (SAMPLES / "tiger.jpg").read_bytes(), "a" * 80 + ".jpg")
    seen.page.locator("#words-input").fill("tiger, snow, zebra, xyzzyq, a very long name of something without end,")
    seen.settle()
    seen.page.get_by_text("Download", exact=True).click()
    seen.page.get_by_role("switch", name="Compare").check()
    seen.wait_for("document.querySelector('#other-legend table') && !document.body.matches('.busy')")
    give(seen, "drop", b"")
    seen.slide("#margin", 10)
    seen.page.locator("#view").focus()
    seen.page.keyboard.press("ArrowLeft")
    assert seen.violations() == []
    width = viewport["width"]
    assert seen.page.evaluate("() => document.documentElement.scrollWidth") == width
    if viewport is PHONE:
        small = seen.page.evaluate(
            """() => [...document.querySelectorAll("button, select, summary, label.switch, input:not(.unseen, [role])")]
            .filter((one) => one.offsetParent && Math.min(one.offsetHeight, one.offsetWidth) < 44)
            .map((one) => one.outerHTML)"""
        )
        assert small == []


def test_the_keyboard_reaches_everything(opened: Opening):
    seen = opened()
    seen.page.keyboard.press("Tab")
    assert seen.page.locator(":focus").inner_text() == "Skip to the words"
    seen.page.keyboard.press("Enter")
    assert seen.page.locator(":focus").get_attribute("id") == "words-input"
    seen.sample()
    seen.page.get_by_text("Download", exact=True).click()
    seen.page.locator("h1").click()
    reached = set[str]()
    for _ in range(60):
        seen.page.keyboard.press("Tab")
        reached.add(seen.page.evaluate(FOCUSED))
    assert {
        "view",
        "file",
        "words-input",
        "model",
        "compare",
        "margin",
        "opacity",
        "names",
        "keep",
        "geotiff",
    } <= reached
