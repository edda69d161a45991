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
from zeroseg.vocabulary import make_vocabulary, parse_labels
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
    """With maps of the model's own margin; in all patches, and but for rounding in all pixels between them."""
    segmenter, embedded, words = asked
    sent = maps(segmenter, embedded, words, None)
    assert sent is not None
    margin = sent.margin + moved
    expected = segmenter.reading(background=replace(segmenter.read_out.background, threshold=margin))
    grid = embedded.encoded.grid
    for size, equal in ((embedded.encoded.size, 0.995), (grid, 1.0)):
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
        const every = Array.from({ length: width * height }, (_, n) => mask.at(n % width, Math.floor(n / width)));
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
    formats = page.evaluate("async () => (await import('./downloads.js')).FORMATS.map(([name]) => name)")
    assert sorted(formats) == sorted(FormatName.__args__)


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
    assert parsed == list(parse_labels(text))


def _runs(flat: np.ndarray) -> list[tuple[int, int]]:
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    return [(int(flat[start]), int(end - start)) for start, end in zip(starts, [*starts[1:], flat.size], strict=True)]
