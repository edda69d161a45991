"""The table of the chapter "On photos", written only from the records of `photos`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from zeroseg.experiments import Record, read_records
from zeroseg.experiments.tables import NOTHING, spread, table
from zeroseg.reproduce.photos import ALL, NAME, OBJECTS, READ_OUTS, STUDENT

UNMEASURED = "(Not measured yet.)"
ROWS = {  # title -> name of the records, naming
    "students, named by patch": (STUDENT, "patches"),
    "the same students, named by segment": (STUDENT, "segments"),
    **{f"{words} (`{name}`)": (name, "patches") for name, words in READ_OUTS.items()},
}
FIGURES = {  # title -> data set, end of the reading's name, metric
    "all classes, plain": (ALL, "", "miou"),
    "all classes, refined": (ALL, ", refined", "miou"),
    "objects, plain": (OBJECTS, "", "miou"),
    "objects, refined": (OBJECTS, ", refined", "miou"),
    "upper bound": (ALL, "", "upper_bound_miou"),
}


def photo_records(records: Path) -> dict[str, list[Record]]:
    """The records of students and read-outs, by name. Raises `DatasetError` for damaged ones."""
    found = read_records(records, NAME)
    return {name: [record for record in found if record.variant == name] for name in (STUDENT, *READ_OUTS)}


def photos_table(found: Mapping[str, Sequence[Record]]) -> str:
    """The table, per cent, with mean and deviation over the seeds; then what the best figures are, and for what."""
    if not any(found.values()):
        return UNMEASURED
    rows: list[list[str]] = []
    for title, (name, naming) in ROWS.items():
        records = found[name]
        cells = [spread(_figures(records, *where, naming)) for where in FIGURES.values()]
        rows.append([title, *cells, _mean(records, "flops", 1e9), _mean(records, "seconds"), f"{len(records)}"])
    heads = ["", *FIGURES, "GFLOP an image", "seconds an image", "runs"]
    return "\n\n".join([table(heads, rows, words=1), *_sentences(found)])


def _figures(records: Sequence[Record], dataset: str, end: str, metric: str, naming: str) -> list[float | None]:
    """A metric of all records, per cent."""
    readings = [record.scores["test"][dataset].get(naming + end, {}) for record in records]
    return [None if reading.get(metric) is None else 100 * reading[metric] for reading in readings]


def _mean(records: Sequence[Record], setting: str, unit: float = 1.0) -> str:
    values = [record.settings.get(setting) for record in records]
    known = [value / unit for value in values if value is not None]
    return f"{mean(known):,.2f}" if known and len(known) == len(values) else NOTHING


def _sentences(found: Mapping[str, Sequence[Record]]) -> list[str]:
    """Students beside the best read-out of their teacher, and the students as they are saved."""
    if not all(found.values()):
        missing = ", ".join(f"`{name}`" for name, records in found.items() if not records)
        return [f"Not measured yet: {missing}."]
    said = [_beside(found, "Over all classes", ALL), _beside(found, "Over objects and background", OBJECTS)]
    saved = [100 * record.scores["test"][OBJECTS]["saved"]["miou"] for record in found[STUDENT]]
    said.append(f"With the read-out and margin that they are saved with, the students have {spread(saved)} on objects.")
    every = [record.settings for records in found.values() for record in records]
    used = " or ".join(sorted({str(settings["threads"]) for settings in every if "threads" in settings}))
    if used:
        said.append(f"Seconds are those of the whole segmentation, refined, with {used} threads.")
    images = found[STUDENT][0].settings["images"]
    said.append(f"{images['test']} images of `test`; margins from {images['validation']} images of `validation`.")
    return [" ".join(said)]


def _beside(found: Mapping[str, Sequence[Record]], where: str, dataset: str) -> str:
    """The best reading of the students by patch, and the best of all readings of the teacher, each by its mean."""
    best = {
        name: max(
            mean(100 * record.scores["test"][dataset][f"patches{end}"]["miou"] for record in records)
            for end in ("", ", refined")
        )
        for name, records in found.items()
    }
    rival = max(READ_OUTS, key=lambda name: best[name])
    ours, theirs = (mean(record.settings["flops"] for record in found[name]) for name in (STUDENT, rival))
    operations = f"{theirs / ours:,.1f} times fewer" if theirs > ours else f"{ours / theirs:,.1f} times the"
    return (
        f"{where} the students reach {best[STUDENT]:.1f}, {best[STUDENT] - best[rival]:+.1f} beside the best read-out "
        f"of their teacher (`{rival}`), with {operations} operations."
    )
