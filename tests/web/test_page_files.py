"""Two sides compared on the page, and what is saved of them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

from PIL import Image

from tests.web.browsing import EMBED, Seen
from tests.web.conftest import Opening


def test_two_vocabularies_and_two_models_are_compared(opened: Opening):
    seen = opened()
    seen.sample("tiger.jpg")
    assert seen.text("#margin-hint").endswith(": \u22122, the model\u2019s own.")
    seen.compare()
    assert seen.asked(EMBED) == 2  # the second model's
    assert seen.text("#margin-hint").endswith(": \u22122 in A, 7 in B, each model\u2019s own.")
    seen.slide("#margin", 4)
    assert seen.text("#margin-hint").endswith(": 2 in A, 11 in B.")
    seen.page.locator("#margin-reset").click()
    seen.page.get_by_label("Model of B").select_option("photos")
    seen.page.get_by_role("button", name="Remove snow").last.click()
    seen.settle()
    assert seen.asked(EMBED) == 2
    snow = seen.colour("snow")
    assert seen.share(snow, side=0) > 0.5 > 0.1 > seen.share(snow, side=1)
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


def saved(seen: Seen, format: str, folder: Path) -> Path:
    """The file of a format."""
    seen.page.get_by_label("Download", exact=True).select_option(format)
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Save").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_masks_are_downloaded(opened: Opening, tmp_path: Path):
    seen = opened()
    seen.sample()
    assert seen.page.locator("#format option").count() == 15
    assert not seen.page.locator("#whose").is_visible()
    with Image.open(saved(seen, "Picture (PNG)", tmp_path)) as picture:
        assert (picture.format, picture.size) == ("PNG", (451, 300))
    with zipfile.ZipFile(saved(seen, "PNG in colours", tmp_path)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".png"))
        assert Image.open(io.BytesIO(archive.read(name))).size == (451, 300)
    assert saved(seen, "LabelMe", tmp_path).name == "cat.json"
    assert seen.text("#format-hint") == "To open in LabelMe."
    seen.wait_for("document.querySelector('#status').textContent.includes('cat.json saved.')")


def test_while_two_sides_are_compared_a_person_chooses_what_is_downloaded(opened: Opening, tmp_path: Path):
    """The picture of A, of B, or with the line, as it is seen; files of A or of B. Their names say which."""
    seen = opened()
    seen.sample("tiger.jpg")
    seen.compare()
    seen.page.get_by_label("Model of B").select_option("photos")
    seen.settle()
    seen.page.get_by_role("button", name="Remove snow").last.click()
    seen.settle()
    pictures = dict[str, Image.Image]()
    for whose in ("A and B, as seen", "A", "B"):
        seen.page.get_by_role("radio", name=whose, exact=True).check()
        path = saved(seen, "Picture (PNG)", tmp_path)
        pictures[path.name] = Image.open(path).convert("RGB")
    both, a, b = pictures.values()
    assert list(pictures) == ["tiger-overlay-AB.png", "tiger-overlay-A.png", "tiger-overlay-B.png"]
    width, height = both.size
    for part, side in (((0, 40, width // 2 - 9, height), a), ((width // 2 + 9, 40, width, height), b)):
        assert both.crop(part).tobytes() == side.crop(part).tobytes()
    assert a.tobytes() != b.tobytes()
    seen.page.get_by_role("radio", name="A and B, as seen").check()
    seen.page.get_by_label("Download", exact=True).select_option("LabelMe")
    assert seen.page.get_by_role("radio", name="A and B, as seen").is_disabled()
    assert seen.page.get_by_role("radio", name="A", exact=True).is_checked()
    labels = list[set[str]]()
    for whose in ("A", "B"):
        seen.page.get_by_role("radio", name=whose, exact=True).check()
        path = saved(seen, "LabelMe", tmp_path)
        assert path.name == f"tiger-{whose}.json"
        labels.append({shape["label"] for shape in json.loads(path.read_text(encoding="utf-8"))["shapes"]})
    assert labels[0] - labels[1] == {"snow"}
