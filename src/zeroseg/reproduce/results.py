"""The page of all tables, written from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from zeroseg.experiments import Column, Record, read_records
from zeroseg.experiments.page import by_variant
from zeroseg.experiments.tables import percent, spread, table
from zeroseg.files import write_text_atomically
from zeroseg.reproduce.paper_table import Agreement, PaperTable, compare
from zeroseg.reproduce.plots import side_by_side

PROSE = Path(__file__).with_name("results.md")
Found = Mapping[str, list[Record]]


def write_results(tables: Iterable[PaperTable], records: Path, pages: Path) -> Path:
    """Write `results.md` and a plot of each table (in `images/`) into the folder `pages`.

    Raises `DatasetError` for records that are damaged or cannot be compared, `OutputError`.
    """
    found = {paper.name: by_variant(paper.experiment, read_records(records, paper.name)) for paper in tables}
    by_name = {paper.name: paper for paper in tables}
    for name, some in found.items():
        write_text_atomically(pages / _image(name), side_by_side(by_name[name].title, _rows(by_name[name], some)))
    path = pages / "results.md"
    write_text_atomically(path, page(by_name, found))
    return path


def page(tables: Mapping[str, PaperTable], found: Mapping[str, Found]) -> str:
    """The text of the page."""
    every = [record for some in found.values() for records in some.values() for record in records]
    images = max((record.settings["images"] for record in every), default="N")
    parts = {
        "tables": "\n\n".join(_section(paper, found[name]) for name, paper in tables.items()),
        "images": f"{images}",
        "command": f"zeroseg reproduce {' '.join(tables)} --images images --cache cache",
    }
    return PROSE.read_text(encoding="utf-8").format(**parts)


def _section(paper: PaperTable, found: Found) -> str:
    lines = [f"## {paper.title}", paper.note, _table(paper, found)]
    lines += [_in_words(compare(paper.paper, {name: _ours(some, paper.column) for name, some in found.items()}))]
    lines += [f"![{paper.title}: the paper's figures and ours]({_image(paper.name)})"]
    return "\n\n".join(lines)


def _table(paper: PaperTable, found: Found) -> str:
    columns = paper.experiment.columns_of(refines=False)
    rows: list[list[str]] = []
    for variant in paper.rows:
        records = found[variant.name]
        cells = [spread([percent(record, column) for record in records]) for column in columns]
        rate = spread([record.images_per_second for record in records], 0)
        printed = f"{paper.paper[variant.name]:.1f}" if variant.name in paper.paper else "-"
        rows.append([f"`{variant.name}`", variant.words, printed, *cells, rate, f"{len(records)}"])
    heads = ["row", "what it is", "the paper, VOC", *(column.title for column in columns), "images/s", "seeds"]
    return table(heads, rows, words=2)


def _ours(records: Iterable[Record], column: Column) -> list[float]:
    values = [percent(record, column) for record in records]
    return [value for value in values if value is not None]


def _rows(paper: PaperTable, found: Found) -> dict[str, tuple[float | None, list[float]]]:
    return {
        variant.name: (paper.paper.get(variant.name), _ours(found[variant.name], paper.column))
        for variant in paper.rows
    }


def _in_words(order: Agreement) -> str:
    """Where the order of the rows agrees, and where it does not."""
    if not order.pairs:
        return "Nothing to compare yet."
    said = f"Of {order.pairs} pairs of rows that the paper orders, {order.agree} have the same order here"
    said += f", {order.tied} are tied" if order.tied else ""
    against = ", ".join(f"`{first}` above `{second}`" for first, second in order.against)
    return said + (f"; the paper has {against}, and we the other way round." if against else ".")


def _image(name: str) -> str:
    return f"images/results-{name}.svg"
