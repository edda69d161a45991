"""The page of an exported model, in a real browser: its masks are Python's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.tiny import locked_teacher, siglip_teacher
from tests.web.browsing import AXE, CHROMIUM, NO_CHROMIUM
from zeroseg.cli import main
from zeroseg.errors import ConfigError
from zeroseg.export import Form, bundled_pictures, export_page
from zeroseg.export.tokenizer import as_file
from zeroseg.export.web_page import PACKAGE, RUNTIME, VERSION, is_clips
from zeroseg.models import BUNDLED
from zeroseg.precision import unrounded
from zeroseg.rules import Margin
from zeroseg.segmenter import Segmenter
from zeroseg.teacher.text_tower import KNOWN_WORDS
from zeroseg.vocabulary import Vocabulary, make_vocabulary, merged_vocabulary

ASK = """async ([questions, picture]) => {
    const worker = new Worker("worker.js", { type: "module" });
    const ask = (question) => new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.answer));
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage({ number: 1, ...question }); });
    await ask({ load: "model/" });
    if (picture) {
        const bitmap = await createImageBitmap(await (await fetch(picture)).blob());
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        context.drawImage(bitmap, 0, 0);
        const { data, width, height } = context.getImageData(0, 0, bitmap.width, bitmap.height);
        await ask({ pixels: { data, width, height } }); }
    const answers = [];
    for (const question of questions) answers.push(await ask(question));
    worker.terminate();
    return answers.map((answer) => Array.from(answer)); }"""
LABELS = "cat, grass, meadow, house"
ENTRIES = "async (text) => (await import('./entries.js')).entriesOf(text)"
NOTHING_SHOWN = """() => {
    const overlay = document.getElementById("overlay"), { width, height } = overlay;
    const copy = new OffscreenCanvas(width, height).getContext("2d"); // the page's own is not read: it would be slower
    copy.drawImage(overlay, 0, 0);
    return !document.querySelector("#legend li") && !document.body.dataset.found
        && copy.getImageData(0, 0, width, height).data.every((value) => !value); }"""


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    """The picturebook's, with all that the read-out of photos has."""
    own = Segmenter.from_pretrained("picturebook", device="cpu")
    rule = Margin(own.read_out.background.threshold, presence=1.0)
    return own.reading(background=rule, alike=0.5, smallest_region=0.002, keep_mean=False)


@pytest.fixture(scope="module")
def folder(segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, with the runtime from npm."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm: install Node.js")
    place = tmp_path_factory.mktemp("pages")
    packed = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent", "--prefer-offline"]
    if subprocess.run(packed, cwd=place, capture_output=True).returncode:
        pytest.skip("npm cannot fetch the runtime")
    shutil.unpack_archive(next(place.glob("*.tgz")), place, filter="data")
    samples = bundled_pictures("picturebook")
    export_page(segmenter, place / "page", Form("onnx", "fp32"), samples, runtime=place / "package")
    return place / "page"


@contextmanager
def served(folder: Path) -> Generator[str]:
    """The address of a folder on a plain server of files."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", 0), partial(Silent, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, once its model is loaded; its console must say nothing."""
    page, complaints = browser.new_page(viewport={"width": 1200, "height": 800}), list[str]()
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.locator("body[data-ready]").wait_for(timeout=60_000)
    yield page
    page.close()
    assert not complaints


def test_masks_are_those_of_python(page: Page, segmenter: Segmenter):
    """Resizing, networks, words, rule, refinement and small areas: all of it is done in the browser."""
    path = bundled_pictures("picturebook") / "cat.png"
    entries = [{"label": label, "others": []} for label in LABELS.split(", ")]
    (found,) = page.evaluate(ASK, [[{"entries": entries}], "samples/cat.png"])
    with unrounded():
        expected = segmenter.name(segmenter.encode(path), make_vocabulary(LABELS)).class_map
    assert len(np.unique(expected)) > 2
    assert np.mean(np.reshape(found, expected.shape) == expected) >= 0.99


@pytest.mark.parametrize(
    ("text", "vocabulary"),
    [
        ("cat, cat,  CAT, background, Grass, grass", make_vocabulary("cat, cat,  CAT, background, Grass, grass")),
        (
            "cat: kitten; Grass: lawn, meadow; CAT: pet, kitten; grass",
            merged_vocabulary([("cat", ("kitten",)), ("Grass", ("lawn", "meadow")), ("CAT", ("pet", "kitten"))]),
        ),
    ],
)
def test_repeated_labels_are_one_as_in_python(page: Page, segmenter: Segmenter, text: str, vocabulary: Vocabulary):
    entries = page.evaluate(ENTRIES, text)
    assert tuple(entry["label"] for entry in entries) == vocabulary.labels == ("cat", "Grass")
    assert tuple(tuple(entry["others"]) for entry in entries) == (vocabulary.aliases or ((), ()))
    (found,) = page.evaluate(ASK, [[{"entries": entries}], "samples/cat.png"])
    with unrounded():
        encoded = segmenter.encode(bundled_pictures("picturebook") / "cat.png")
        expected = segmenter.name(encoded, vocabulary).class_map
    assert len(np.unique(expected)) > 1
    assert np.mean(np.reshape(found, expected.shape) == expected) >= 0.99


def test_masks_of_photos_are_those_of_python(browser: Browser, folder: Path, tmp_path: Path):
    """The bundled convolutional student, with halves for weights."""
    segmenter, samples = Segmenter.from_pretrained("photos", device="cpu"), bundled_pictures("photos")
    export_page(segmenter, tmp_path / "page", Form("onnx", "fp16"), samples, runtime=folder.parent / "package")
    entries = [{"label": label, "others": []} for label in LABELS.split(", ")]
    with served(tmp_path / "page") as address:
        page = browser.new_page()
        page.goto(address)
        (found,) = page.evaluate(ASK, [[{"entries": entries}], "samples/cat.jpg"])
        page.close()
    with unrounded():
        expected = segmenter.name(segmenter.encode(samples / "cat.jpg"), make_vocabulary(LABELS)).class_map
    assert len(np.unique(expected)) > 1
    assert np.mean(np.reshape(found, expected.shape) == expected) >= 0.99


def test_words_are_read_and_cut_as_in_python(page: Page, segmenter: Segmenter):
    """A thousand words, plurals, and texts that are odd or too long."""
    names = (BUNDLED["photos"].folder("teacher") / KNOWN_WORDS).read_text(encoding="utf-8").replace(" = ", "\n")
    words = [*dict.fromkeys(names.splitlines())][:1000]
    odd = ["Crème  brûlée", "it's 7:45 o'clock!", "雪山 молоко", "a " * 60, 'x\tﬁ™ &amp; ("100 %")', "'s's don't"]
    plurals = [f"{word}s" for word in words[:100]] + ["red Buses", "kitties", "women", "boxes", "y"]
    (ids, read) = page.evaluate(ASK, [[{"tokens": words + odd}, {"readings": [*words, *plurals]}], None])
    assert len(words) == 1000
    expected = segmenter.teacher.token_ids(words + odd)
    assert np.reshape(ids, (len(expected), -1)).tolist() == expected
    assert read == [segmenter.teacher.reading(word) for word in (*words, *plurals)]


def test_a_person_finds_things(page: Page):
    """From a click on a sample to masks, a legend and names; then with other words; also with the keyboard alone."""
    page.get_by_role("button").locator("img[src='samples/cat.png']").click()
    page.locator("body[data-found]").wait_for()
    assert page.locator("#legend li").count() >= 2
    assert "%" in page.locator("#legend").inner_text()

    page.locator("#words").fill("cat, cat, Cat")
    page.keyboard.press("Enter")
    page.locator("body[data-found='cat']").wait_for()
    assert page.locator("#legend li").count() == 1
    assert "on this machine" in page.locator("#status").inner_text()

    page.locator("#words").fill(",,,")
    page.keyboard.press("Enter")
    page.get_by_text("Type words, such as").wait_for()
    assert page.evaluate(NOTHING_SHOWN)

    page.locator("#words").fill("cat: kitten")
    page.keyboard.press("Enter")
    page.get_by_text("cat (kitten)").wait_for()
    page.locator("#file").focus()
    page.set_input_files("#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    page.get_by_text("no picture that the browser can read").wait_for()
    assert page.evaluate(NOTHING_SHOWN)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("runtime/ort.wasm.min.mjs", None, "is missing"),
        ("runtime/ort-wasm-simd-threaded.wasm", b"cut", "is damaged"),
        ("tokenizer.js", None, "is missing"),
        ("worker.js", b"(", "cannot run in this browser, or is damaged"),
        ("model/config.json", b"{", "is damaged"),
        ("model/config.json", b"{}", "is damaged"),
        ("model/image.onnx", None, "is missing"),
        ("model/text.onnx", b"cut", "is damaged, or belongs to another export"),
    ],
)
def test_what_is_missing_or_damaged_is_named(
    browser: Browser, folder: Path, tmp_path: Path, file: str, content: bytes | None, said: str
):
    """In one sentence with what to do; the page does not wait for ever."""
    shutil.copytree(folder, tmp_path / "page", copy_function=os.link)
    (tmp_path / "page" / file).unlink()
    if content is not None:
        (tmp_path / "page" / file).write_bytes(content)
    with served(tmp_path / "page") as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("cannot be loaded").wait_for(timeout=20_000)
        remedy = "Copy all files of the page again, or export it again."
        assert page.locator("#status").inner_text() == f"The model cannot be loaded: {file} {said}. {remedy}"
        page.close()


def test_the_page_is_accessible(browser: Browser, address: str):
    """axe-core finds nothing wrong on a phone, in the dark; nothing is wider than the screen or too small to press."""
    page = browser.new_page(viewport=ViewportSize(width=360, height=740), color_scheme="dark", bypass_csp=True)
    page.goto(address)
    page.locator("#samples img").first.click()
    page.locator("body[data-found]").wait_for()
    assert page.evaluate(f"() => {{ {AXE}; return axe.run().then((found) => found.violations); }}") == []
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360
    pressed = page.locator("button, .button, #words").all()
    assert len(pressed) > 4
    assert min(box["height"] for box in (one.bounding_box() for one in pressed) if box) >= 44
    page.close()


def test_nothing_comes_from_elsewhere(folder: Path):
    """The policy of the page allows its own files alone; no code is made of text."""
    policy = (folder / "index.html").read_text(encoding="utf-8").split('Content-Security-Policy" content="')[1]
    assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';")
    assert "unsafe-inline" not in policy
    assert {path.name for path in (folder / "runtime").iterdir()} == set(RUNTIME)


def test_what_no_page_can_be_made_of(segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    form, samples = Form("onnx", "fp32"), bundled_pictures("picturebook")
    with pytest.raises(ConfigError, match='name patches by the rule "margin"'):
        export_page(segmenter.reading(naming="segments"), tmp_path / "page", form, samples)
    with pytest.raises(ConfigError, match="no folder of the npm package"):
        export_page(segmenter, tmp_path / "page", form, samples, runtime=tmp_path)
    monkeypatch.setattr("zeroseg.export.web_page.shutil.which", lambda _: None)
    with pytest.raises(ConfigError, match="npm is not installed"):
        export_page(segmenter, tmp_path / "page", form, samples)
    assert not (tmp_path / "page").exists()


def test_the_page_reads_words_as_clip_does():
    for teacher, expected in ((locked_teacher(), True), (siglip_teacher(), False)):
        tokenizer = json.loads(as_file(teacher, teacher.text_encoder(pretrained=True).tokenizer))
        assert is_clips(tokenizer) == expected


def test_a_failed_download_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Here by an npm that does nothing but fail."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["export", "picturebook", "--out", str(tmp_path / "page")]
    assert main([*words, "--to", "web"]) == 1
    assert "npm could not fetch onnxruntime-web (CalledProcessError)" in capsys.readouterr().err
    assert main([*words, "--runtime", str(tmp_path)]) == 2
    assert "--runtime goes with --to web" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["npm"]
