"""The page of all tables, written only from records: Markdown with plots, and one HTML page with everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median

from zeroseg import report
from zeroseg.experiments import Column, Record, by_variant, fill, read_records, setup_table
from zeroseg.experiments.tables import NOTHING, Found, percent, spread, table
from zeroseg.files import write_text_atomically
from zeroseg.reproduce.costs import step_flops, view_flops
from zeroseg.reproduce.paper_table import Agreement, PaperTable, Scale, WordsTable, compare
from zeroseg.reproduce.photos_table import photo_records, photos_table
from zeroseg.reproduce.plots import Row, side_by_side
from zeroseg.reproduce.presence_table import Measured, presence_records, presence_table
from zeroseg.reproduce.speed import Speed, read_speed, speed_path

FINDING = re.compile(r"<!-- (\w+) -->\n\n(.*?\n\n)<!-- end -->\n\n", re.DOTALL)  # text about a table's figures


def write_results(scale: Scale, records: Path, pages: Path) -> Path:
    """Write `results.md` with its plots (in `images/`), and `results.html`, into the folder `pages`.

    The files have the name of the scale's page. Figures are shown if their pictures exist (`figures.py` draws them).
    Raises `DatasetError` for records that are damaged or cannot be compared, `OutputError`.
    """
    found = by_variant(scale.rows, read_records(records, scale.rows.name))
    speed = read_speed(speed_path(records, scale.rows.name))
    for paper in scale.tables:
        plot = side_by_side(paper.title, _bars(paper, found), f"ours, {paper.column.title}")
        write_text_atomically(pages / _image(scale, paper.name), plot)
    path = pages / f"{scale.page}.md"
    drawn = {figure.name for figure in scale.figures if (pages / figure_path(scale, figure.name)).is_file()}
    text = page(scale, found, speed, drawn, photo_records(records), presence_records(records))
    write_text_atomically(path, text)
    write_text_atomically(path.with_suffix(".html"), report.from_markdown(text, pages))
    return path


def figure_path(scale: Scale, name: str) -> str:
    """The path of a figure's picture, relative to the folder of pages."""
    return f"images/{scale.page}-{name}.jpg"


def page(
    scale: Scale,
    found: Found,
    speed: Speed | None = None,
    figures: Iterable[str] = (),
    photos: Mapping[str, Sequence[Record]] | None = None,
    presence: Measured | None = None,
) -> str:
    """The text of the page; `figures`: the names of those that are drawn; `photos`: the records of `reproduce.photos`;
    `presence`: those of absent words.

    Raises `ValueError` for an unknown slot in the template.
    """
    drawn = set(figures)
    parts = {paper.name: _section(scale, paper, found, speed) for paper in scale.tables}
    parts |= {scale.words.name: words_table(scale.words, found), scale.costs.name: cost_table(scale, found)}
    for figure in scale.figures:
        path = figure_path(scale, figure.name)
        parts[figure.name] = (
            f"![{figure.title}]({path})" if figure.name in drawn else f"({figure.title}: not drawn yet.)"
        )
    parts |= {
        "missing": _missing(scale, found),
        "facts": setup_table(scale.rows, found),
        "setup": scale.command,
        "photos": photos_table(photos or {}),
        "presence": presence_table(presence or {}),
        "command": "zeroseg reproduce --images images --cache cache"
        + (f" --scale {scale.name}" if scale.page != "results" else ""),
    }
    whole = {paper.name for paper in (*scale.tables, scale.words) if _is_whole(scale, paper.rows, found)}
    whole |= {"photos"} if photos and all(photos.values()) else set()
    return FINDING.sub(lambda said: said[2] if said[1] in whole else "", fill(scale.rows.template, parts))


def _is_whole(scale: Scale, rows: Iterable[str], found: Found) -> bool:
    """Whether all rows were run at full length: only then the page has the text about their results."""
    steps = scale.rows.config(scale.rows.base, scale.rows.recipe(), 0).loop.steps
    base = found[scale.rows.base.name]
    return all(found[row] for row in rows) and base[0].settings["distill"]["loop"]["steps"] == steps


def _section(scale: Scale, paper: PaperTable, found: Found, speed: Speed | None) -> str:
    """A table with its plot, and the agreement of its order with the paper's."""
    orders = {paper.column: paper.paper, **paper.also}
    compared = [_in_words(column.title, compare(theirs, _figures(found, column))) for column, theirs in orders.items()]
    plot = f"![{paper.title}: the paper's figures and ours]({_image(scale, paper.name)})"
    return "\n\n".join([_table(scale, paper, found, speed), plot, " ".join(compared)])


def _table(scale: Scale, paper: PaperTable, found: Found, speed: Speed | None) -> str:
    variants = {variant.name: variant for variant in scale.rows.variants}
    rows: list[list[str]] = []
    for name in paper.rows:
        records = found[name]
        cells = [spread([percent(record, column) for record in records]) for column in paper.columns]
        if paper.speed_up:
            cells += [_number(paper.speed_up.get(name), 0), _speed_up(speed, name, paper.rows[0])]
        printed = [_number(theirs.get(name)) for theirs in (paper.paper, *paper.also.values())]
        rows.append([f"`{name}`", variants[name].words, *printed, *cells, f"{len(records)}"])
    places = ["VOC", "Context", "COCO"][: 1 + len(paper.also)]
    heads = ["row", "what it is", *(f"the paper, {place}" for place in places)]
    heads += [column.title for column in paper.columns]
    heads += ["the paper's speed-up", "speed-up"] if paper.speed_up else []
    return table([*heads, "runs"], rows, words=2)


def words_table(words: WordsTable, found: Found) -> str:
    """IoU of single words, per cent, mean over the seeds; their mean with its deviation, and that of all other classes.

    If the words are the paper's, its figures are in further rows.
    """
    heads = ["row", *words.words, "mean", "all other classes", "the paper, mean", "runs"]
    rows: list[list[str]] = []
    for name in words.rows:
        ious = [some for record in found[name] if (some := _ious(record, words.dataset))]
        single = [[100 * some[word] for some in ious if word in some] for word in words.words]
        inside = [_mean_of(some, lambda word: word in words.words) for some in ious]
        others = [_mean_of(some, lambda word: word not in (*words.words, "background")) for some in ious]
        cells = [_number(mean(values)) if values else NOTHING for values in single]
        printed = _number(words.paper.get(name))
        rows.append([f"`{name}`", *cells, spread(inside), spread(others), printed, f"{len(ious)}"])
    for name, values in words.by_word.items():
        rows.append([f"the paper's `{name}`", *map(str, values), _number(mean(values)), NOTHING, NOTHING, NOTHING])
    means = {name: _means_of_words(words, found[name]) for name in words.rows}
    return "\n\n".join([table(heads, rows, words=1), _in_words("the mean of these words", compare(words.paper, means))])


def _means_of_words(words: WordsTable, records: Sequence[Record]) -> list[float]:
    means = [_mean_of(_ious(record, words.dataset), lambda word: word in words.words) for record in records]
    return [value for value in means if value is not None]


def _mean_of(ious: Mapping[str, float], counts: Callable[[str], bool]) -> float | None:
    """The mean IoU of the classes that count, per cent; None if there are none."""
    values = [100 * iou for name, iou in ious.items() if counts(name)]
    return mean(values) if values else None


def cost_table(scale: Scale, found: Found) -> str:
    """Table 7: operations computed from the sizes, measured time, and the paper's hours."""
    rows: list[list[str]] = []
    for variant in scale.rows.variants:
        if variant.name not in scale.costs.rows:
            continue
        config, texts = scale.rows.config(variant, scale.rows.recipe(), 0), variant.texts
        gflop = step_flops(config, texts, scale.teacher) / 1e9
        teacher = (
            len(config.views.boxes()) * view_flops(scale.teacher) / 1e9 if variant.learns_from == "views" else None
        )
        rates = _rates(found[variant.name])
        minutes = [record.minutes for record in found[variant.name]]
        cells = [f"{gflop:,.2f}", _number(teacher, 2), _range(rates, 0), _range([gflop * rate for rate in rates], 0)]
        cells += [_range(minutes, 1), _number(scale.costs.paper_hours.get(variant.name), 0), f"{len(minutes)}"]
        rows.append([f"`{variant.name}`", variant.words, *cells])
    heads = ["row", "what it is", "GFLOP an image", "the teacher's, once", "images/s", "GFLOP/s", "minutes"]
    return table([*heads, "the paper, V100-hours", "runs"], rows, words=2)


def _range(values: Sequence[float], decimals: int) -> str:
    """The median, with the lowest and highest of several: other work on a machine can only slow down a run."""
    if not values:
        return NOTHING
    low, middle, high = (f"{value:,.{decimals}f}" for value in (min(values), median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _speed_up(speed: Speed | None, row: str, first: str) -> str:
    """Per cent over the first row: the median of all timing rounds, and the quartiles."""
    faster = speed.speed_up(row, first) if speed is not None else None
    return NOTHING if faster is None else "{} ({} to {})".format(*map(round, faster))


def _ious(record: Record, dataset: str) -> dict[str, float]:
    """IoU of the classes, 0..1, in the record's first reading of a data set."""
    readings = record.scores.get("held-out", {}).get(dataset, {})
    figures = next(iter(readings.values()), {})
    return {name: value for name, value in figures.get("iou", {}).items() if value is not None}


def _rates(records: Sequence[Record]) -> list[float]:
    return [record.images_per_second for record in records if record.images_per_second is not None]


def _number(value: float | None, decimals: int = 1) -> str:
    return NOTHING if value is None else f"{value:,.{decimals}f}"


def _figures(found: Found, column: Column) -> dict[str, list[float]]:
    """Our figures in a column, of all seeds, by row."""
    every = {name: [percent(record, column) for record in records] for name, records in found.items()}
    return {name: [value for value in values if value is not None] for name, values in every.items()}


def _bars(paper: PaperTable, found: Found) -> dict[str, Row]:
    ours = _figures(found, paper.column)
    return {name: (paper.paper.get(name), ours[name]) for name in paper.rows}


def _in_words(column: str, order: Agreement) -> str:
    """The agreement of the order of the rows, in words."""
    if not order.pairs:
        return f"On *{column}* there is nothing to compare yet."
    said = f"On *{column}*, {order.agree} of the {order.pairs} pairs of rows that the paper orders stand in its order"
    said += f", {order.tied} are tied" if order.tied else ""
    against = ", ".join(f"`{first}` above `{second}`" for first, second in order.against)
    return said + (f"; the paper has {against}, and ours have the opposite order." if against else ".")


def _missing(scale: Scale, found: Found) -> str:
    """A sentence on the rows without a record."""
    rows = [f"`{variant.name}`" for variant in scale.rows.variants if not found[variant.name]]
    return f"Not run yet: {', '.join(rows)}." if rows else "Every row was run."


def _image(scale: Scale, name: str) -> str:
    return f"images/{scale.page}-{name}.svg"
