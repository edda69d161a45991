"""A page to look at: many photos with their masks, and how often each label was found."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from zeroseg.drawing import overlay
from zeroseg.errors import ImageError
from zeroseg.images import load_image
from zeroseg.report import Section, beside, chips, page, paragraph, picture, table
from zeroseg.segmentation import percentage
from zeroseg.segmenting.places import MASK, OVERLAY, RECORD
from zeroseg.segmenting.result_files import annotated
from zeroseg.segmenting.results import Settings, read_record
from zeroseg.segmenting.summary import Summary
from zeroseg.segmenting.tasks import Outcome

MOST_SHOWN, MOST_FAILED = 120, 500  # photos; a picture takes some 40 kB of the page
SIDE = 560  # pixels of the longer side of a picture
MOST_NAMED = 4  # labels in a caption


def spread(outcomes: Sequence[Outcome], most: int = MOST_SHOWN) -> list[Outcome]:
    """Some of many, evenly from first to last."""
    if len(outcomes) <= most:
        return list(outcomes)
    return [outcomes[number * len(outcomes) // most] for number in range(most)]


def report(outcomes: Sequence[Outcome], summary: Summary, settings: Settings, footer: str) -> str:
    """The page of a run, as text. Raises `ImageError` if a result was removed since."""
    done = [outcome for outcome in outcomes if outcome.error is None]
    shown = spread(done)
    which = "All photos." if len(shown) == len(done) else f"{len(shown)} of {len(done):,} photos, evenly chosen."
    figures = {
        "model": settings.named.get("model", ""),
        "photos": f"{len(done):,}",
        "labels found": f"{len(summary.photos)} of {len(summary.labels)}",
    }
    if summary.done:
        figures["seconds a photo"] = f"{summary.seconds_each:.2f}"
    if summary.failed:
        figures["failed"] = f"{len(summary.failed):,}"
    rows = [(label, photos, 100 * mean) for label, photos, mean in summary.rows()]
    columns = ("label", "photos with it", "mean area there, %")
    sections = [
        Section("Labels", (table(columns, rows, "In how many photos each label was found"),)),
        Section("Photos", (paragraph(which), beside(picture(_shown(one), _caption(one)) for one in shown))),
    ]
    if summary.failed:
        failed = table(("photo", "reason"), summary.failed[:MOST_FAILED], "Photos that failed")
        sections.append(Section("Failed", (failed,)))
    return page("Photos segmented by words", sections, [chips(figures)], footer)


def _shown(outcome: Outcome) -> Image.Image:
    """The overlay of a photo, small."""
    path = outcome.stem.with_name(outcome.stem.name + OVERLAY)
    try:
        drawn = load_image(path if path.exists() else outcome.found.path)
    except ImageError:  # it was removed since
        drawn = load_image(outcome.stem.with_name(outcome.stem.name + MASK))
    else:
        drawn = drawn if path.exists() else overlay(drawn, annotated(outcome).segmentation)
    drawn.thumbnail((SIDE, SIDE))
    return drawn


def _caption(outcome: Outcome) -> str:
    rows = (read_record(outcome.stem.with_name(outcome.stem.name + RECORD)) or {}).get("labels", [])
    largest = sorted((row for row in rows if row["fraction"] > 0), key=lambda row: -row["fraction"])
    named = [f"{row['label']} {percentage(row['fraction'])}" for row in largest]
    more = len(named) - MOST_NAMED
    return f"{outcome.found.place}: {', '.join(named[:MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")
