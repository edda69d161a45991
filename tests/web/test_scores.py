"""The page draws the same masks as the server when a person moves the threshold: from the same maps, in JavaScript."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.web.browsing import segmenters
from zeroseg.drawing import hexadecimal
from zeroseg.drawing.overlays import display_size
from zeroseg.drawing.palettes import OVERLAY_COLOURS, overlay_palette
from zeroseg.method_names import FormatName
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import make_vocabulary, parse_label_lines, parse_labels
from zeroseg.web.answers import maps
from zeroseg.web.api import SAMPLES
from zeroseg.web.engine import Embedded

LABEL_MAP = """async ([maps, margin, width, height]) => {
    const { labelMap, probabilities, unpacked } = await import("./scores.js");
    const labels = labelMap(probabilities(unpacked(maps), margin), width, height);
    return Array.from(labels, (label) => String.fromCharCode(label)).join(""); }"""
AT = """async ([maps, margin, width, height, points]) => {
    const { at, probabilities, unpacked } = await import("./scores.js");
    const likely = probabilities(unpacked(maps), margin);
    return points.map(([x, y]) => at(likely, x, y, width, height)); }"""


@pytest.fixture(scope="module")
def page(browser: Any, address: str) -> Page:
    """A page whose modules are at hand."""
    page = browser.new_page()
    page.goto(address)
    return page


@pytest.fixture(scope="module", params=["horses.jpg", "castle.jpg", "coffee.jpg"])
def asked(request: pytest.FixtureRequest) -> tuple[Segmenter, Embedded, Any]:
    """A segmenter, a photo and labels."""
    rows = json.loads((SAMPLES / "pictures.json").read_text(encoding="utf-8"))
    segmenter = segmenters()["photos"].reading(refinement=0)
    labels = next(row["labels"] for row in rows if row["file"] == request.param)
    return segmenter, Embedded("photos", segmenter.encode(SAMPLES / request.param)), make_vocabulary(labels)


@pytest.mark.parametrize("moved", [0.0, 6.5, -12.0, 25.0])
def test_the_preview_is_what_the_server_would_draw(page: Page, asked: tuple[Segmenter, Embedded, Any], moved: float):
    """With maps of the model's own margin; but for rounding in all patches, and in all pixels between them."""
    segmenter, embedded, words = asked
    sent = maps(segmenter, embedded, words, None)
    assert sent is not None
    margin = sent.margin + moved
    expected = segmenter.reading(background=replace(segmenter.read_out.background, threshold=margin))
    grid = embedded.encoded.grid
    for size, equal in ((embedded.encoded.size, 0.995), (grid, 0.998)):
        mask = expected.name(replace(embedded.encoded, size=size), words).class_map
        found = page.evaluate(LABEL_MAP, [sent.model_dump(), margin, size[1], size[0]])
        assert np.mean(np.reshape([ord(label) for label in found], size) == mask) >= equal


def test_probabilities_at_a_pixel_are_those_of_the_rule(page: Page, asked: tuple[Segmenter, Embedded, Any]):
    segmenter, embedded, words = asked
    sent, (h, w) = maps(segmenter, embedded, words, None), embedded.encoded.grid
    assert sent is not None
    expected = segmenter.read_out.background.logits(segmenter.scores(embedded.encoded, words)).numpy()
    points = [(0, 0), (w - 1, h - 1), (w // 2, h // 3)]
    found = page.evaluate(AT, [sent.model_dump(), sent.margin, w, h, points])
    np.testing.assert_allclose(found, [expected[y * w + x] for x, y in points], atol=0.005)


def test_runs_are_the_mask_at_any_size(page: Page):
    """Also with a run over several rows, and at sizes that divide nothing."""
    mask = np.repeat(np.array([[0, 0, 0, 2, 2, 1, 1], [1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 3, 3, 3]]), 2, axis=0)
    runs = [int(n) for value, n in _runs(mask.ravel()) for n in (value, n)]
    found = page.evaluate(
        """async ([runs, width, height, w, h]) => { const { Mask } = await import("./mask.js");
        const mask = new Mask(runs, width, height);
        const place = (n) => [(n % width + 0.5) / width, (Math.floor(n / width) + 0.5) / height];
        const every = Array.from({ length: width * height }, (_, n) => mask.at(...place(n)));
        return [every, Array.from(mask.sampled(w, h))]; }""",
        [runs, 7, 6, 5, 11],
    )
    np.testing.assert_array_equal(np.reshape(found[0], (6, 7)), mask)
    rows, columns = (np.arange(11) + 0.5) * 6 / 11, (np.arange(5) + 0.5) * 7 / 5
    np.testing.assert_array_equal(np.reshape(found[1], (11, 5)), mask[rows.astype(int)[:, None], columns.astype(int)])


def test_the_page_uses_the_colours_and_sizes_of_overlays(page: Page):
    colours = page.evaluate("async () => (await import('./palette.js')).COLOURS")
    assert colours == list(map(hexadecimal, overlay_palette(OVERLAY_COLOURS)))
    sizes = [(640, 415), (4000, 3000), (100, 30), (20_000, 20), (1, 1)]
    found = page.evaluate(
        "async (s) => { const p = await import('./paint.js'); return s.map((x) => p.displaySize(...x)); }", sizes
    )
    assert [tuple(size) for size in found] == [display_size(size) for size in sizes]


def test_the_page_offers_every_format(page: Page):
    formats = page.evaluate(
        "async () => (await import('./downloads.js')).FORMATS.flatMap(([, rows]) => rows.map(([name]) => name))"
    )
    assert sorted(formats) == sorted(("picture", *FormatName.__args__))


@pytest.mark.parametrize(
    "text",
    [
        "cat, dog",
        " tall  tree ,, ; dog\nsky",
        '"salt, pepper", dog',
        '"so called ""things""", x',
        'the "old" house, a',
        "",
    ],
)
def test_words_are_read_as_on_the_command_line(page: Page, text: str):
    parsed = page.evaluate("async (text) => (await import('./words.js')).parsed(text)", text)
    assert parsed == [{"label": label, "others": []} for label in parse_labels(text)]


@pytest.mark.parametrize(
    "text",
    [
        "sofa: couch, settee\ncat\nplain:",
        '"ratio: width to height"\n"a ""b"": c": d, "e, f"\nclock 12:30: watch',
        "sofa: couch: settee, x",
    ],
)
def test_other_words_are_read_as_in_files_of_labels(page: Page, text: str):
    entries = page.evaluate("async (text) => (await import('./words.js')).parsed(text)", text)
    assert [(entry["label"], tuple(entry["others"])) for entry in entries] == list(parse_label_lines(text))
    again = page.evaluate(
        "async (all) => { const w = await import('./words.js'); return w.parsed(all.map(w.written).join('; ')); }",
        entries,
    )
    assert again == entries


@pytest.mark.parametrize(
    ("text", "complete", "rest"),
    [
        ("cat", [], "cat"),
        ("cat, tall tr", ["cat"], "tall tr"),
        ('cat, "salt, pep', ["cat"], '"salt, pep'),
        ("cat, sofa: couch, set", ["cat"], "sofa: couch, set"),
        ("sofa: couch, settee; do", ["sofa"], "do"),
        ('"salt, pepper",', ["salt, pepper"], ""),
    ],
)
def test_what_is_still_typed_is_no_word_yet(page: Page, text: str, complete: list[str], rest: str):
    found = page.evaluate("async (text) => (await import('./words.js')).complete(text)", text)
    assert ([entry["label"] for entry in found["entries"]], found["rest"]) == (complete, rest)


def test_names_do_not_cover_each_other(page: Page):
    """Of two names in one place the first one is written, that of the wider place."""
    drawn = page.evaluate(
        """async () => { const { writeNames } = await import("./paint.js");
        const written = (places) => { const context = new OffscreenCanvas(200, 100).getContext("2d");
          writeNames(context, places, (label) => ["horse", "grass", "sky"][label], 15);
          return String(context.getImageData(0, 0, 200, 100).data); };
        const [horse, grass, sky] = [[0.5, 0.5], [0.55, 0.6], [0.5, 0.9]].map(([x, y], label) => ({ label, x, y }));
        const two = written([horse, sky]);
        return [written([horse, grass, sky]) === two, written([horse]) === two]; }"""
    )
    assert drawn == [True, False]


def _runs(flat: np.ndarray) -> list[tuple[int, int]]:
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    return [(int(flat[start]), int(end - start)) for start, end in zip(starts, [*starts[1:], flat.size], strict=True)]
