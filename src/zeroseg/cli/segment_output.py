"""What `zeroseg segment` prints: a line a photo and a summary, or JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zeroseg.cli.messages import complain, printable, say

if TYPE_CHECKING:
    from zeroseg.images import Found
    from zeroseg.segmenting import Outcome, Summary

MOST_LINES = 50  # photos of a run that has a line for each
LABELS_SHOWN, FAILED_SHOWN, ROWS_SHOWN = 8, 20, 30


class Lines:
    """Prints what becomes of photos: as JSON, or in words, a line a photo if there are few of them."""

    def __init__(self, as_json: bool, photos: int) -> None:
        self.as_json, self.each = as_json, photos <= MOST_LINES
        self.photos = photos

    def say(self, outcome: Outcome) -> None:
        """A photo that was segmented, whose result stands, or that could not be read."""
        if self.as_json:
            print(json.dumps(_as_json(outcome), ensure_ascii=False), flush=True)
        elif outcome.error is not None:
            complain(outcome.error)
        elif self.each:
            stands = " (stands already)" if outcome.stood else ""
            mask = f"{outcome.stem}.png"
            print(printable(f"{outcome.found.path}: {_found(outcome.labels)} -> {mask}{stands}"), flush=True)

    def note(self, sentence: str) -> None:
        """A line for people."""
        if not self.as_json:
            print(printable(sentence), flush=True)

    def renamed(self, outcomes: Sequence[Outcome]) -> None:
        """Say which results are not called as their photos are."""
        other = [one for one in outcomes if one.error is None and one.stem.name != one.found.place.stem]
        if other:
            first = f"{other[0].found.path} is called {other[0].stem.name}"
            more = f" (and {len(other) - 1:,} more)" if len(other) > 1 else ""
            say(f"the result of {first}{more}: tools that pair files by name need the photo renamed alike.")

    def end(self, summary: Summary, left_out: Mapping[str, int]) -> None:
        """The counts of the whole run; `left_out`: what was found in folders and is no photo of the run."""
        left = {kind: count for kind, count in left_out.items() if count}
        if self.as_json:
            print(json.dumps({"summary": {**summary.as_json(), "left_out": left}}, ensure_ascii=False), flush=True)
            return
        if summary.more_frames:
            say(f"{summary.more_frames:,} of the pictures have several frames or pages: the first one was segmented.")
        if self.photos > 1:
            said = ", ".join(f"{count:,} {kind}" for kind, count in left.items())
            print(_counts(summary) + (f"; left out: {said}" if said else ""))
        if not self.each:
            for label, photos, mean in summary.rows()[:ROWS_SHOWN]:
                print(
                    printable(f"  {label}: {photos:,} photos" + (f", {mean:.0%} of them on average" if photos else ""))
                )
        for photo, _ in summary.failed[:FAILED_SHOWN] if not self.each else []:
            say(f"failed: {photo}")
        if not self.each and len(summary.failed) > FAILED_SHOWN:
            say(f"and {len(summary.failed) - FAILED_SHOWN:,} more photos that failed.")


def is_there(photo: Found, label: str, presence: float, fraction: float) -> bool:
    """Ask on the terminal whether a label is in a photo."""
    from zeroseg.segmentation import percentage

    sure = f"presence {presence:.2f}, {percentage(fraction)} of the picture"
    print(printable(f"{photo.path}: is there {label!r} ({sure})? [y/N] "), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _counts(summary: Summary) -> str:
    parts = [f"{summary.done:,} photos segmented"]
    if summary.done:
        parts[0] += f", {summary.seconds_each:.2f} s each"
    if summary.stood:
        parts.append(f"{summary.stood:,} stood already")
    if summary.failed:
        parts.append(f"{len(summary.failed):,} failed")
    parts.append(f"{len(summary.photos)} of {len(summary.labels)} labels found")
    return "; ".join(parts)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    place = {"photo": str(outcome.found.path)}
    if outcome.error is not None:
        return {**place, "state": "failed", "error": str(outcome.error)}
    state = "stood" if outcome.stood else "segmented"
    return {**place, "state": state, "mask": f"{outcome.stem}.png", "labels": list(outcome.labels)}


def _found(rows: Sequence[dict[str, Any]]) -> str:
    """The labels that occur with their fractions of the picture, largest first; then those that do not."""
    from zeroseg.segmentation import BACKGROUND, percentage

    present = sorted((row for row in rows if row["fraction"] > 0), key=lambda row: -row["fraction"])
    absent = [row["label"] for row in rows if not row["fraction"] and row["label"] != BACKGROUND]
    found = [f"{row['label']} {percentage(row['fraction'])}" for row in present]
    return _some(found) + (f"; not found: {_some(absent)}" if absent else "")


def _some(words: Sequence[str]) -> str:
    more = len(words) - LABELS_SHOWN
    return ", ".join(words[:LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")
