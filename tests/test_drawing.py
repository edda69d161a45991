"""Masks keep their class ids, overlays show what they should, and no shape or label breaks them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageChops, ImageDraw

from zeroseg.drawing import (
    colours_by_name,
    contact_sheet,
    display_size,
    hexadecimal,
    label_colours,
    overlay,
    overlay_palette,
    palette,
    save_image,
    save_palette_png,
)
from zeroseg.drawing.palettes import PAPER
from zeroseg.errors import OutputError
from zeroseg.segmentation import Segmentation

VOC_START = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]


def segmentation(
    class_map: np.ndarray, labels: tuple[str, ...] = ("background", "dog", "cat"), has_background: bool = True
) -> Segmentation:
    return Segmentation(labels, class_map, np.zeros(len(labels)), has_background)


def halves(width: int, height: int) -> np.ndarray:
    """Background left, dog right."""
    return np.tile(np.arange(width) >= width / 2, (height, 1)).astype(int)


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.difference(one, other).getbbox() is None


def test_palette_is_pascal_vocs():
    """Other tools know classes by these colours."""
    colours = palette(256)
    assert colours[:7] == VOC_START
    assert colours[20] == (0, 64, 128)  # tv/monitor, the last of VOC's classes
    assert colours[255] == (224, 224, 192)  # its "void"
    assert len(set(palette(5000))) == 5000


def test_overlay_colours_are_far_apart_and_a_prefix_of_each_other():
    colours = np.array(overlay_palette(20), dtype=int)
    distances = np.abs(colours[:, None] - colours[None]).sum(axis=-1) + 999 * np.eye(20, dtype=int)
    assert distances[:8, :8].min() > 100
    assert distances.min() > 40
    assert overlay_palette(20) == overlay_palette(64)[:20]
    assert len(set(overlay_palette(64))) == 64
    assert len(overlay_palette(200)) == 200


@settings(max_examples=40, deadline=None)
@given(
    class_map=hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 299)),
    label_count=st.sampled_from([300, 256, 2]),
)
def test_palette_png_round_trip_keeps_every_class_id(
    tmp_path_factory: pytest.TempPathFactory, class_map: np.ndarray, label_count: int
):
    class_map %= label_count
    path = tmp_path_factory.mktemp("masks") / "mask.png"
    save_palette_png(segmentation(class_map, tuple(map(str, range(label_count))), False), path)
    with Image.open(path) as stored:
        assert stored.mode == ("P" if label_count <= 256 else "I;16")
        np.testing.assert_array_equal(np.asarray(stored), class_map)


def test_vocs_colours_for_a_mask_where_other_tools_expect_them(tmp_path: Path):
    save_palette_png(segmentation(np.array([[0, 1, 2]])), tmp_path / "mask.png", palette(256))
    with Image.open(tmp_path / "mask.png") as stored:
        np.testing.assert_array_equal(np.asarray(stored.convert("RGB"))[0], VOC_START[:3])


def swatches(monkeypatch: pytest.MonkeyPatch, found: Segmentation) -> tuple[Image.Image, dict[str, Any]]:
    """An overlay, and the pixel in the middle of the swatch before each label of its legend."""
    where: dict[str, tuple[float, float]] = {}
    original = ImageDraw.ImageDraw.text

    def spy(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *rest: Any, **named: Any) -> None:
        where.setdefault(text, place)
        original(pen, place, text, *rest, **named)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    width, height = found.size
    drawn = overlay(Image.new("RGB", (width, height), (100, 100, 100)), found, opacity=1.0)
    size = min(28, max(15, max(display_size(found.size)) // 45))
    middle = round(size * 1.7) - size // 2  # from the label's beginning back to the middle of its swatch
    pixels = {text: drawn.getpixel((round(x - middle), round(y))) for text, (x, y) in where.items()}
    return drawn, {text: pixel for text, pixel in pixels.items() if text in found.labels}


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("count", [3, 24, 200, 300])
def test_mask_overlay_legend_and_json_agree_on_every_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, has_background: bool
):
    """Also where there are more labels than the 64 colours, or the 256 of a palette: labels 3 and 67 both occur."""
    labels = ("background" if has_background else "thing 0", *(f"thing {number}" for number in range(1, count)))
    shown = np.array([number for number in (*range(20), 67, 131) if number < count])
    found = segmentation(shown.repeat(40)[None].repeat(400, axis=0), labels, has_background)
    rows: Any = found.summary(list(map(hexadecimal, label_colours(found))))["labels"]
    in_json = {row["label"]: row["colour"] for row in rows}
    drawn, legend = swatches(monkeypatch, found)
    assert len(legend) == len(shown)
    save_palette_png(found, tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as stored:
        in_mask: Any = stored.getpalette() if stored.mode == "P" else None
    assert (in_mask is None) == (count > 256)
    for number, label in enumerate(labels):
        if in_mask is not None:
            assert in_json[label] == hexadecimal(tuple(in_mask[3 * number : 3 * number + 3]))
        if label in legend and label != "background":
            assert in_json[label] == hexadecimal(legend[label])
            place = int(np.flatnonzero(shown == number)[0]) * 40 + 20
            scale = display_size(found.size)[0] / found.size[0]
            pixel: Any = drawn.getpixel((round(place * scale), 10))
            assert in_json[label] == hexadecimal(pixel)
    assert len({in_json[labels[number]] for number in shown}) == len(shown)
    assert not has_background or in_json["background"] == "#000000"


def test_a_summary_has_no_colours_unless_they_are_given():
    rows: Any = segmentation(np.array([[0, 1]])).summary()["labels"]
    (row, *_) = rows
    assert set(row) == {"index", "label", "fraction", "score"}


@pytest.mark.parametrize("name", ["mask.jpg", "mask"])
def test_masks_are_never_written_lossily(tmp_path: Path, name: str):
    with pytest.raises(OutputError, match=r"\.png"):
        save_palette_png(segmentation(np.array([[0, 1]])), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_save_image_follows_the_suffix_and_refuses_others(tmp_path: Path):
    picture = Image.new("RGBA", (4, 4), "red")
    for name, file_format in (("a.png", "PNG"), ("a.JPG", "JPEG")):
        save_image(picture, tmp_path / name)
        with Image.open(tmp_path / name) as stored:
            assert stored.format == file_format
    with pytest.raises(OutputError, match=r"end in \.png"):
        save_image(picture, tmp_path / "a.svg")


def test_overlay_tints_labels_and_leaves_the_background_alone():
    grey = Image.new("RGB", (400, 400), (100, 100, 100))
    drawn = overlay(grey, segmentation(halves(400, 400)), opacity=1.0)
    assert drawn.getpixel((50, 200)) == (100, 100, 100)
    assert drawn.getpixel((350, 200)) == overlay_palette(1)[0]
    line: Any = drawn.getpixel((200, 200))
    assert line > (230, 230, 230)  # the contour's line
    assert drawn.getpixel((198, 200)) == (100, 100, 100)
    assert drawn.getpixel((199, 200)) == (45, 45, 45)  # and its rim


def test_opacity_zero_keeps_the_photo_away_from_contours():
    photo = Image.effect_noise((400, 400), 80).convert("RGB")
    drawn = overlay(photo, segmentation(halves(400, 400)), opacity=0.0)
    for box in ((0, 0, 198, 400), (203, 0, 400, 400)):
        assert same(drawn.crop(box), photo.crop(box))


@pytest.mark.parametrize(
    ("size", "drawn_width", "drawn_height"),
    [
        ((1, 1), 384, 384),
        ((96, 64), 384, 256),
        ((400, 300), 400, 300),
        ((3200, 1600), 1600, 800),
        ((20_000, 20), 1600, 32),
        ((20, 20_000), 32, 1600),
        ((2, 300), 32, 600),
    ],
)
def test_any_size_comes_out_viewable(size: tuple[int, int], drawn_width: int, drawn_height: int):
    """From one pixel to a long strip: picture where expected, legend outside of it."""
    photo = Image.new("RGB", size, (10, 20, 30))
    drawn = overlay(photo, segmentation(np.zeros(size[::-1], int)))
    picture = drawn.crop((0, 0, drawn_width, drawn_height))
    assert picture.getcolors() == [(drawn_width * drawn_height, (10, 20, 30))]
    assert drawn.width >= drawn_width
    assert drawn.height >= drawn_height
    assert drawn.size != (drawn_width, drawn_height)
    assert max(drawn.size) <= 2600


def test_small_masks_are_enlarged_with_hard_edges():
    drawn = overlay(Image.new("RGB", (2, 2)), segmentation(np.array([[0, 1], [1, 0]])), opacity=1.0)
    colours = {drawn.getpixel((x, y)) for x in range(0, 384, 7) for y in range(0, 384, 7)}
    assert len(colours - {(0, 0, 0), (230, 230, 230)}) <= 2  # the tint and the line drawn over it


def test_colours_can_be_given_by_name():
    """Overlays that are compared need the same colours; a label without one stays as it is."""
    picture = Image.new("RGB", (400, 400), "black")
    drawn = np.asarray(overlay(picture, segmentation(halves(400, 400)), 1.0, {"dog": (10, 200, 30)}))
    np.testing.assert_array_equal(drawn[200, 300], (10, 200, 30))
    np.testing.assert_array_equal(drawn[200, 100], (0, 0, 0))
    assert drawn.shape[0] == display_size(picture.size)[1]


def test_names_keep_their_colours_over_vocabularies():
    chosen = colours_by_name([("dog", "grass"), ("grass", "sky", "dog"), ()])
    assert list(chosen) == ["dog", "grass", "sky"]
    assert list(chosen.values()) == list(overlay_palette(3))


def test_legend_lists_only_labels_that_occur():
    """The legend of two labels must not change when the vocabulary has more."""
    photo, class_map = Image.new("RGB", (400, 400)), halves(400, 400)
    few = overlay(photo, segmentation(class_map, ("background", "dog")))
    many = overlay(photo, segmentation(class_map, ("background", "dog", *map(str, range(2000)))))
    assert same(few, many)


def test_legend_says_how_many_more_there_are(monkeypatch: pytest.MonkeyPatch):
    written: list[str] = []
    original = ImageDraw.ImageDraw.text

    def spy(pen: Any, where: Any, text: str, *rest: Any, **named: Any) -> None:
        written.append(text)
        original(pen, where, text, *rest, **named)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    class_map = np.repeat(np.arange(30), np.arange(30, 0, -1))[None]
    labels = tuple(f"label {index}" for index in range(30))
    overlay(Image.new("RGB", class_map.shape[::-1]), segmentation(class_map, labels, False))
    listed = [text for text in written if text.startswith("label")]
    assert listed == list(labels[:24])
    assert "+ 6 more" in written
    assert "6%" in written  # 30 of 465 pixels


def test_labels_that_occur_together_never_share_a_colour():
    labels = tuple(map(str, range(200)))
    class_map = np.array([[3, 3 + 64, 3 + 128]])
    drawn = overlay(Image.new("RGB", (3, 1)), segmentation(class_map, labels, False), opacity=1.0)
    colours = {drawn.getpixel((x, 20)) for x in (40, 190, 350)}
    assert len(colours) == 3


def test_more_labels_than_colours_still_draw():
    class_map = np.arange(300).reshape(15, 20)
    drawn = overlay(Image.new("RGB", (20, 15)), segmentation(class_map, tuple(map(str, range(300))), False))
    assert drawn.width >= 384


AWKWARD = ["狗", "كلب", "собака", "🐶", "a\nb\tc", "\x00", "\ud800", "e\u0301", "w" * 5000, "\u200b", "#"]


@pytest.mark.parametrize("label", AWKWARD)
def test_no_label_breaks_the_legend(label: str):
    """Any script, control characters, half a surrogate, a novel: drawn, or replaced by its index."""
    drawn = overlay(Image.new("RGB", (400, 400)), segmentation(halves(400, 400), ("background", label)))
    legend = drawn.crop((400, 0, *drawn.size))
    assert legend.width < 600
    second_row = legend.crop((15, 40, 300, 65))
    assert len(second_row.getcolors(10_000) or []) > 3  # paper, swatch, its edge, and some text


BARE_SERVER = """
from PIL import Image, ImageFont
real = ImageFont.truetype
def no_file(font, *rest, **named):
    if isinstance(font, str):
        raise OSError("cannot open resource")
    return real(font, *rest, **named)
ImageFont.truetype = no_file
import numpy as np
from zeroseg.drawing import overlay
from zeroseg.segmentation import Segmentation
halves, scores = np.repeat([[0, 1]], 400, axis=0).repeat(200, axis=1), np.array([0.5, 0.5])
def drawn(label):
    found = Segmentation(("background", label), halves, scores, has_background=True)
    return overlay(Image.new("RGB", (400, 400)), found).tobytes()
print(drawn("狗") == drawn("#1"), drawn("dog") == drawn("#1"))
"""


def test_label_without_any_font_is_shown_by_its_index():
    """A bare server has no fonts: "#1" leads to the text in the JSON; Latin letters come with Pillow."""
    printed = subprocess.run([sys.executable, "-c", BARE_SERVER], capture_output=True, check=True, text=True)
    assert printed.stdout.split() == ["True", "False"]


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 70), height=st.integers(1, 70), data=st.data())
def test_overlay_of_any_small_picture(width: int, height: int, data: st.DataObject):
    class_map = data.draw(hnp.arrays(np.int64, (height, width), elements=st.integers(0, 2)))
    drawn = overlay(Image.new("RGB", (width, height)), segmentation(class_map))
    assert drawn.mode == "RGB"
    assert max(drawn.size) >= 384


def test_overlay_refuses_what_does_not_fit():
    photo = Image.new("RGB", (4, 2))
    with pytest.raises(ValueError, match=r"\(4, 2\).*\(2, 4\)"):
        overlay(photo, segmentation(np.zeros((4, 2), int)))
    with pytest.raises(ValueError, match="opacity"):
        overlay(photo, segmentation(np.zeros((2, 4), int)), opacity=1.5)


def test_overlay_is_the_same_in_every_process():
    """Colours must not hang on hash seeds: a README's pictures should not change by themselves."""
    code = "import json; from zeroseg.drawing import overlay_palette; print(json.dumps(overlay_palette(64)))"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert [tuple(colour) for colour in json.loads(printed.stdout)] == list(overlay_palette(64))


def test_contact_sheet_puts_each_picture_in_its_cell():
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    sheet = contact_sheet(pictures, columns=2, captions=["one", "two", "狗"], cell=64)
    assert sheet.getpixel((40, 40)) == (255, 0, 0)
    assert sheet.getpixel((120, 40)) == (0, 255, 0)
    assert sheet.getpixel((40, 140)) == (0, 0, 255)
    assert sheet.getpixel((120, 140)) == PAPER


def test_contact_sheet_takes_any_shape_and_mode():
    pictures = [Image.new("L", (5000, 2)), Image.new("P", (1, 900)), Image.new("RGBA", (1, 1))]
    assert contact_sheet(pictures, columns=9, cell=50).width == 10 + 3 * 60


def test_contact_sheet_has_no_empty_room_below_wide_pictures():
    """Two rows of pictures that are half as tall as they are wide: twice 50 and gaps of 10."""
    assert contact_sheet([Image.new("RGB", (20, 10))] * 2, columns=1, cell=100).size == (120, 10 + 2 * 60)


def test_contact_sheet_refuses_what_does_not_fit():
    picture = Image.new("RGB", (2, 2))
    refused: list[tuple[Any, ...]] = [([], 2), ([picture], 0), ([picture], 1, ["a", "b"])]
    for arguments in refused:
        with pytest.raises(ValueError, match=r"contact sheet|captions"):
            contact_sheet(*arguments)


def test_without_a_legend_only_the_picture_is_drawn():
    picture = Image.new("RGB", (400, 300))
    halves = Segmentation(("dog", "cat"), np.repeat([[0, 1]], 200, axis=1).repeat(300, axis=0), np.zeros(2))
    plain, whole = overlay(picture, halves, legend=False), overlay(picture, halves)
    assert plain.size == display_size(picture.size)
    assert whole.height > plain.height
    np.testing.assert_array_equal(np.asarray(plain), np.asarray(whole)[: plain.height, : plain.width])
