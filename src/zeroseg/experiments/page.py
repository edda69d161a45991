"""An experiment's page: its text, with tables and curves from the records in the slots."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from zeroseg.errors import DatasetError
from zeroseg.experiments.design import ROUNDING, Experiment
from zeroseg.experiments.measuring import Scenes
from zeroseg.experiments.plots import MEASURES, plot
from zeroseg.experiments.records import Record, Values, read_records, same_settings, without_seed
from zeroseg.experiments.tables import NOTHING, Found, results_table, table, training_table
from zeroseg.files import write_text_atomically
from zeroseg.views import ViewsConfig

LEGEND = Path(__file__).with_name("legend.md")  # of the tables: one text for all experiments
SLOT = re.compile(r"\{(\w+)\}")


def write_page(experiment: Experiment, records: Path, pages: Path, seeds: int = 3) -> Path:
    """Write `NAME.md` and its plots (in `images/`) into the folder `pages`, only from the records below `records`.

    `seeds`: the number that each variant should have; the page says what is missing. Raises `DatasetError` for records
    that are damaged or whose settings cannot be compared, `OutputError`.
    """
    found = by_variant(experiment, read_records(records, experiment.name))
    for measure in MEASURES:
        write_text_atomically(pages / _image(experiment, measure.name), plot(experiment, found, measure))
    path = pages / f"{experiment.name}.md"
    write_text_atomically(path, page(experiment, found, seeds))
    return path


def page(experiment: Experiment, found: Found, seeds: int = 3) -> str:
    """The text of the page. Raises `ValueError` for an unknown slot in the template."""
    curves = [f"![{m.title} over the samples seen]({_image(experiment, m.name)})" for m in MEASURES]
    parts = {
        "legend": LEGEND.read_text(encoding="utf-8").strip().replace("{dataset}", experiment.datasets[0]),
        "setup": setup_table(experiment, found),
        "missing": _missing(experiment, found, seeds),
        "table": results_table(experiment, found),
        "training": training_table(experiment, found),
        "curves": "\n\n".join(curves),
        "images": _images(found),
        "command": _command(experiment, found, seeds),
        "cost": _cost(found),
    }
    return fill(experiment.template, parts)


def fill(template: Path, parts: Mapping[str, str]) -> str:
    """The text of a template with its `{slots}` filled. Raises `ValueError` for an unknown slot."""
    prose = template.read_text(encoding="utf-8")
    unknown = set(SLOT.findall(prose)) - parts.keys()
    if unknown:
        raise ValueError(f"{template} has unknown slots: {', '.join(sorted(unknown))}")
    return SLOT.sub(lambda slot: parts[slot[1]], prose)


def _image(experiment: Experiment, name: str) -> str:
    return f"images/{experiment.name}-{name}.svg"


def by_variant(experiment: Experiment, records: Sequence[Record]) -> dict[str, list[Record]]:
    """The records of each variant. Raises `DatasetError` if records of one variant differ in more than their seeds, or
    records of different variants in more than their configs."""
    found = {v.name: [record for record in records if record.variant == v.name] for v in experiment.variants}
    ours = [record for some in found.values() for record in some]
    for some in found.values():
        _expect_equal([(record, without_seed(record.settings)) for record in some])
    _expect_equal([(record, {**record.settings, "distill": {}, "learns_from": ""}) for record in ours])
    _expect_one_length(experiment, ours)
    return found


def _expect_one_length(experiment: Experiment, records: Sequence[Record]) -> None:
    """Raise `DatasetError` unless the numbers of samples of all records fit one length of the base."""
    fractions = [(experiment.length(record.variant, record.samples), record) for record in records if record.samples]
    fractions.sort(key=lambda fraction: fraction[0])
    if fractions and fractions[0][0] < (1 - ROUNDING) * fractions[-1][0]:
        short, long = fractions[0][1], fractions[-1][1]
        raise DatasetError(
            f"the records {short.name} and {long.name} of the experiment {experiment.name} are from runs of different "
            "length (--steps): run the shorter ones again, or move them to another folder."
        )


def _expect_equal(settings: Sequence[tuple[Record, Values]]) -> None:
    for (one, its), (other, others) in pairwise(settings):
        if not same_settings(its, others):
            raise DatasetError(
                f"the records {one.name} and {other.name} of the experiment {one.experiment} were made under different "
                "settings: delete the older one, and run the experiment again."
            )


def _missing(experiment: Experiment, found: Found, seeds: int) -> str:
    """A sentence on the runs without a record."""
    lacking = {
        v.name: sorted(set(range(seeds)) - {record.seed for record in found[v.name]}) for v in experiment.variants
    }
    some = [f"`{name}` ({_seeds(numbers)})" for name, numbers in lacking.items() if numbers]
    if not some:
        return f"Every variant has records of {_count(seeds, 'seed')}."
    return f"Of {_count(seeds, 'seed')} for each variant, these have no record yet: {', '.join(some)}."


def _seeds(numbers: Sequence[int]) -> str:
    return f"seed{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def setup_table(experiment: Experiment, found: Found) -> str:
    """The settings that all runs have in common, as a table."""
    records = [record for some in found.values() for record in some]
    if not records:
        return "Nothing was run yet."
    settings, base = records[0].settings, found[experiment.base.name]
    views: Values = settings["distill"]["views"]
    config = ViewsConfig(views["side"], tuple(views["grids"]), views["overlapping"])
    scenes: dict[str, int] = settings["scenes"]
    facts = {
        "images": f"{settings['images']:,}",
        "views of an image": f"{len(config.boxes())} ({config.key})",
        "samples of the base": f"{base[0].samples:,}" if base else NOTHING,
        "teacher": f"`{settings['teacher']}`",
        "scenes measured on": ", ".join(f"{count} {split}" for split, count in scenes.items()),
        "made with": "; ".join(sorted({_versions(record) for record in records})),
    }
    return table(["", ""], list(facts.items()), words=2)


def _versions(record: Record) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.versions.items())


def _command(experiment: Experiment, found: Found, seeds: int) -> str:
    """The command that makes the records and this page."""
    command = f"zeroseg experiment {experiment.name} --images images --cache cache --seeds {seeds}"
    command += " --data folder" if experiment.on_disk else ""
    base = found[experiment.base.name]
    steps: int = base[0].settings["distill"]["loop"]["steps"] if base else experiment.recipe().loop.steps
    command += f" --steps {steps}" if steps != experiment.recipe().loop.steps else ""
    scenes, usual = (base[0].settings["scenes"] if base else {}), Scenes().by_split()
    return command + "".join(f" --scenes.{split} {count}" for split, count in scenes.items() if count != usual[split])


def _cost(found: Found) -> str:
    """A sentence on the hours that the runs of the page took."""
    minutes = [record.minutes for some in found.values() for record in some]
    if not minutes:
        return "No record says yet how long this takes."
    return (
        f"The {_count(len(minutes), 'run')} of this page took {sum(minutes) / 60:,.1f} hours of training in all, as "
        "they were run, on machines that did other work at the same time. Measuring and the cache are not in this sum."
    )


def _images(found: Found) -> str:
    """The number of images of the runs, for a command."""
    return next((f"{record.settings['images']}" for some in found.values() for record in some), "N")
