"""Folders of images with captions: read as they are, or refused with one clear sentence."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from zeroseg.errors import DatasetError, ImageError
from zeroseg.training.captioned import CaptionedFolder, read_described


def save_image(path: Path, size: tuple[int, int] = (40, 30), colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write_jsonl(folder: Path, rows: list[object]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_image(tmp_path / "cat.png")
    save_image(tmp_path / "deeper" / "dog.jpg", colour="blue")
    return tmp_path


def test_metadata_jsonl_is_read(folder: Path):
    cat = {"file_name": "cat.png", "text": "a cat", "id": 7}
    write_jsonl(folder, [cat, {"file_name": "deeper/dog.jpg", "text": " größe\u2028狗 "}])
    source = CaptionedFolder(folder, size=16)

    assert len(source) == 2
    assert source.captions() == ["a cat", "größe\u2028狗"]
    ((image, caption),) = source.pairs(1, Random(0))
    assert caption == "größe\u2028狗"
    assert (image.mode, image.size) == ("RGB", (16, 16))
    red, _, blue = np.asarray(image)[8, 8]
    assert blue > 200 > red


@pytest.mark.parametrize(
    "text",
    [
        "cat.png\ta cat\ndeeper/dog.jpg\ta dog, and\ta tab",
        "\n cat.png \t a cat \n\n  \ndeeper/dog.jpg\ta dog, and\ta tab\n\n",
        "\ufeffcat.png\ta cat\r\ndeeper/dog.jpg\ta dog, and\ta tab\r\n",
    ],
    ids=["plain", "blanks", "from Windows"],
)
def test_captions_tsv_is_read(folder: Path, text: str):
    (folder / "captions.tsv").write_bytes(text.encode())
    assert CaptionedFolder(folder, size=16).captions() == ["a cat", "a dog, and\ta tab"]


def test_metadata_jsonl_counts_when_both_are_there(folder: Path):
    write_jsonl(folder, [{"file_name": "cat.png", "text": "from the objects"}])
    (folder / "captions.tsv").write_text("cat.png\tfrom the table\n")
    assert CaptionedFolder(folder, size=16).captions() == ["from the objects"]


def test_an_image_may_have_several_captions(folder: Path):
    (folder / "captions.tsv").write_text("cat.png\ta cat\ncat.png\ta kitten\n")
    assert CaptionedFolder(folder, size=16).captions() == ["a cat", "a kitten"]


def test_crops_differ_but_are_repeated_by_the_same_seed(tmp_path: Path):
    gradient = Image.linear_gradient("L").convert("RGB")
    gradient.save(tmp_path / "ramp.png")
    (tmp_path / "captions.tsv").write_text("ramp.png\ta ramp\n")
    source = CaptionedFolder(tmp_path, size=32)

    def crop(seed: int) -> bytes:
        return source.pairs(0, Random(seed))[0][0].tobytes()

    assert crop(3) == crop(3)
    assert len({crop(seed) for seed in range(6)}) > 3


def test_crops_show_half_to_all_of_the_centre_square(tmp_path: Path):
    """On a ramp that grows by one a pixel, the difference between far edges is the side of the crop."""
    ramp = Image.linear_gradient("L")  # 256 x 256, rows of value 0 .. 255
    wide = Image.new("L", (400, 256))
    wide.paste(ramp, (72, 0))  # the centre square is the ramp: black edges would show
    wide.save(tmp_path / "ramp.png")
    (tmp_path / "captions.tsv").write_text("ramp.png\ta ramp\n")
    source = CaptionedFolder(tmp_path, size=256)
    sides: list[int] = []
    for seed in range(60):
        image = source.pairs(0, Random(seed))[0][0].convert("L")
        pixels = np.asarray(image).astype(int)
        sides.append(int(pixels[255, 128] - pixels[0, 128]) + 1)
        assert abs(pixels[128, 0] - pixels[128, 255]) <= 1

    assert min(sides) >= 256 * 0.5**0.5 - 3
    assert max(sides) <= 256
    assert max(sides) > 245
    assert min(sides) < 195


@pytest.mark.parametrize("size", [(1, 1), (2000, 2), (3, 500)])
def test_odd_images_become_squares(tmp_path: Path, size: tuple[int, int]):
    save_image(tmp_path / "odd.png", size)
    (tmp_path / "captions.tsv").write_text("odd.png\todd\n")
    for seed in range(5):
        image = CaptionedFolder(tmp_path, size=8).pairs(0, Random(seed))[0][0]
        assert image.size == (8, 8)
        assert image.getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("metadata.jsonl", '{"file_name": "cat.png", "text": "a"}\n{"te', "line 2 .* is not JSON"),
        ("metadata.jsonl", '\n\n["cat.png", "a cat"]\n', "line 3 .* is not an object with"),
        ("metadata.jsonl", '{"file_name": "cat.png", "caption": "a cat"}\n', 'line 1 .* "file_name" and "text"'),
        ("metadata.jsonl", '{"file_name": 3, "text": "a cat"}\n', "line 1 .* is not an object with"),
        ("metadata.jsonl", '{"file_name": "cat.png", "text": " "}\n', "line 1 .* has an empty caption"),
        ("metadata.jsonl", '{"file_name": "cat\\u0000.png", "text": "a"}\n', "line 1 .* impossible file name"),
        ("captions.tsv", "cat.png\ta cat\ncat.png a cat\n", "line 2 .* has no tab"),
        ("captions.tsv", "\ta cat\n", "line 1 .* names no image"),
        ("captions.tsv", "cat.png\t\n", "line 1 .* has an empty caption"),
        ("captions.tsv", "cat.png\ta cat\nlion.png\ta lion\n", "line 2 .* names the image 'lion.png'"),
        ("captions.tsv", "deeper\ta folder\n", "line 1 .* names the image 'deeper'"),
        ("captions.tsv", "\n \n", "holds no captions"),
        ("metadata.jsonl", "", "holds no captions"),
    ],
)
def test_malformed_captions_are_refused(folder: Path, name: str, content: str, wanted: str):
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=wanted) as caught:
        CaptionedFolder(folder, size=16)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_text_that_is_not_utf8_is_refused(folder: Path):
    (folder / "captions.tsv").write_bytes("cat.png\tgröße\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="is not UTF-8"):
        CaptionedFolder(folder, size=16)


def test_no_folder_and_no_captions_are_refused(folder: Path):
    with pytest.raises(DatasetError, match="there is no folder"):
        CaptionedFolder(folder / "nowhere", size=16)
    with pytest.raises(DatasetError, match=r"put metadata\.jsonl or captions\.tsv beside the images"):
        CaptionedFolder(folder, size=16)


def test_a_broken_image_is_named_when_it_is_used(folder: Path):
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "captions.tsv").write_text("broken.png\ta cat\ncat.png\ta cat\n")
    source = CaptionedFolder(folder, size=16)

    assert source.pairs(1, Random(0))
    with pytest.raises(ImageError, match=r"broken\.png"):
        source.pairs(0, Random(0))


# --- all texts of an image ---------------------------------------------------------------------------


def test_all_texts_of_an_image_are_read_once(folder: Path):
    write_jsonl(
        folder,
        [
            {"file_name": "cat.png", "text": "a cat", "captions": ["a cat", " a red cat ", "felines"]},
            {"file_name": "deeper/dog.jpg", "text": "dog"},
            {"file_name": "cat.png", "text": "a cat indoors"},
        ],
    )
    assert read_described(folder) == [
        (folder / "cat.png", ("a cat", "a red cat", "felines", "a cat indoors")),
        (folder / "deeper" / "dog.jpg", ("dog",)),
    ]


def test_a_table_has_one_text_a_line(folder: Path):
    (folder / "captions.tsv").write_text("cat.png\ta cat\ncat.png\ta pet\n", encoding="utf-8")
    assert read_described(folder) == [(folder / "cat.png", ("a cat", "a pet"))]


@pytest.mark.parametrize("captions", ["a cat", ["a cat", 3], ["a cat", " "], {"a": "cat"}])
def test_captions_that_are_not_a_list_of_texts(folder: Path, captions: object):
    """`CaptionedFolder` ignores that key."""
    write_jsonl(folder, [{"file_name": "cat.png", "text": "a cat", "captions": captions}])
    with pytest.raises(DatasetError, match=r'^line 1 of .* has "captions" that are not a list of texts: correct or'):
        read_described(folder)
    assert CaptionedFolder(folder, size=16).captions() == ["a cat"]
