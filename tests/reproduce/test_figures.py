"""Figures and study: drawn from the students that runs have left, with the margins of their records, or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.experiments import toy
from tests.experiments.toy import CONFIG, silent
from tests.reproduce.test_results import scale_of
from tests.tiny import PATCH_STUDENT
from zeroseg.errors import TrainingError
from zeroseg.experiments import Column, ExperimentContext, plan, run_variant
from zeroseg.reproduce import Scale, draw_figures, figures, prepare_study
from zeroseg.reproduce.figures import trained
from zeroseg.rules import Margin
from zeroseg.student.config import ReadOut
from zeroseg.study import read_key

BY_MARGIN = ReadOut("patches", Margin())


@pytest.fixture
def context(tmp_path: Path) -> ExperimentContext:
    return toy.context(tmp_path)


@pytest.fixture
def scale(tmp_path: Path) -> Scale:
    """Toys with a margin, in the place of all rows that are drawn and asked about."""
    losses = replace(CONFIG.losses, reconstruction=0.0, dense=1.0)
    config = replace(CONFIG, student=replace(PATCH_STUDENT, read_out=BY_MARGIN), losses=losses)
    own = Column("voc", toy.VOC, "own")
    experiment = replace(toy.experiment(tmp_path, config), readings={"own": {}}, columns=(own,))
    table = replace(scale_of(toy.experiment(tmp_path)).tables[0], columns=(own,), column=own)
    return replace(scale_of(experiment), rows=experiment, tables=(table,))


def test_nothing_is_drawn_without_all_students(context: ExperimentContext, scale: Scale, tmp_path: Path):
    run_variant(plan(scale.rows, context, 1, only=["base"])[0], context, silent)
    assert draw_figures(scale, context, tmp_path / "docs") == []
    with pytest.raises(TrainingError, match="base and centred"):
        prepare_study(scale, context, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_students_are_set_side_by_side_with_the_margins_of_their_records(
    context: ExperimentContext, scale: Scale, tmp_path: Path
):
    for run in plan(scale.rows, context, 1, only=["base", "centred"]):
        record = run_variant(run, context, silent)
        assert record is not None
        found = trained(scale, context, [run.variant.name])[run.variant.name]
        assert found.read_out.background == Margin(record.scores["held-out"][toy.VOC]["own"]["margin"])
    (path,) = draw_figures(scale, context, tmp_path / "docs")
    assert path == tmp_path / "docs/images/results-losses.jpg"
    with Image.open(path) as sheet:
        pitch = figures.CELL + 10
        assert sheet.width == 10 + 3 * pitch  # the picture and two students
        assert sheet.height > figures.SCENES * pitch / 2
    assert prepare_study(scale, context, tmp_path / "study") == tmp_path / "study"
    key = read_key(tmp_path / "study")
    assert key.models == ("base", "centred")
    assert sorted(key.questions[name].photo for name in key.real) == ["held-out 0", "held-out 1"]
    assert len(key.checks) == 2  # as many as pictures, up to three


def test_a_scale_without_a_study_says_so(context: ExperimentContext, scale: Scale, tmp_path: Path):
    with pytest.raises(TrainingError, match="there is no study at the scale picturebook"):
        prepare_study(replace(scale, study=None), context, tmp_path / "study")
    assert not (tmp_path / "study").exists()
