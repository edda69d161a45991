"""How much memory and computing time the segmentation of a huge picture takes.

    python scripts/huge_picture.py --megapixels 250

A photo is enlarged and saved as TIFF in a temporary folder. Then a process of its own does what `zeroseg segment` does:
it reads the file, segments it, and writes the mask and the overlay. Before that it segments the small photo, so that
networks are loaded and warm; what is printed is the growth of its peak memory (resident set) since then.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import tempfile
import time
from importlib.resources import files
from pathlib import Path

from PIL import Image

LABELS = "dog, grass, sky, tree, car, person"


def peak_gigabytes() -> float:
    """The largest resident set of this process so far (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def enlarge(photo: Path, megapixels: float, huge: Path) -> None:
    """Save `photo` with so many pixels, as uncompressed TIFF."""
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(photo) as image:
        scale = math.sqrt(megapixels * 1e6 / (image.width * image.height))
        size = round(image.width * scale), round(image.height * scale)
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(huge)


def segment(photo: Path, huge: Path, out: Path) -> None:
    """Segment both, and print what the huge one cost and how well the two agree."""
    import numpy as np

    import zeroseg
    from zeroseg.drawing import overlay, save_image, save_palette_png
    from zeroseg.images import load_image

    segmenter = zeroseg.Segmenter.from_pretrained()
    expected = segmenter(photo, LABELS).class_map
    before, start = peak_gigabytes(), time.process_time()

    def report(step: str) -> None:
        print(
            f"{step}: {peak_gigabytes() - before:.2f} GB, {time.process_time() - start:.0f} s of a CPU core", flush=True
        )

    print(f"before: {before:.2f} GB")
    picture = load_image(huge)
    report(f"read, {picture.width} x {picture.height}")
    segmentation = segmenter(picture, LABELS)
    report("segmented")
    save_palette_png(segmentation, out / "mask.png")
    report("mask written")
    save_image(overlay(picture, segmentation), out / "overlay.jpg")
    report("overlay written")
    height, width = segmentation.class_map.shape
    rows = ((np.arange(expected.shape[0]) + 0.5) * height / expected.shape[0]).astype(int)
    columns = ((np.arange(expected.shape[1]) + 0.5) * width / expected.shape[1]).astype(int)
    agreeing = (segmentation.class_map[rows][:, columns] == expected).mean()
    print(f"labels as in the small photo: {agreeing:.2%} of its pixels")


def main() -> None:
    """Parse, make the file, measure in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=250)
    parser.add_argument("--photo", type=Path, help="the photo that is enlarged (default: a bundled one)")
    arguments = parser.parse_args()
    photo = arguments.photo or sorted(Path(str(files("zeroseg"))).glob("pictures/photos/*.jpg"))[0]
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        huge = Path(folder, "huge.tif")
        for target, given in ((enlarge, (photo, arguments.megapixels, huge)), (segment, (photo, huge, Path(folder)))):
            process = fresh.Process(target=target, args=given)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
