"""The paper's tables as rows of runs, at both scales: every row is what it says, and the figures are the paper's."""

import re

import pytest

from zeroseg.recipes import imagenet_vitb16
from zeroseg.reproduce import PAPER, PICTUREBOOK, SCALES, Scale

BOTH = pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))


def config(scale: Scale, row: str):
    variant = next(variant for variant in scale.rows.variants if variant.name == row)
    return scale.rows.config(variant, scale.rows.recipe(), 0)


@BOTH
def test_what_tables_show_is_run_and_measured(scale: Scale):
    names = [variant.name for variant in scale.rows.variants]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)
    shown = set[str]()
    for table in scale.tables:
        assert set(table.paper) <= set(table.rows) <= set(names)
        assert set(table.columns) <= set(scale.rows.columns)
        assert table.column in table.columns
        shown |= set(table.rows)
    assert set(names) == shown  # nothing is run that no table shows
    assert scale.words.dataset in scale.rows.by_class
    assert set(scale.words.rows) <= set(names)


@BOTH
def test_no_two_rows_are_the_same_run(scale: Scale):
    runs = [repr((variant.learns_from, variant.ready, config(scale, variant.name))) for variant in scale.rows.variants]
    assert len(set(runs)) == len(runs)


@BOTH
def test_every_table_is_there_and_names_its_rows(scale: Scale):
    of_scenes = {"t2", "figures"}  # study and pictures
    tables = [f"t{k}" for k in range(1, 9)]
    assert list(scale.names) == ([*tables, "figures"] if scale is PICTUREBOOK else [t for t in tables if t != "t2"])
    assert set(scale.shown) == (of_scenes if scale is PICTUREBOOK else set())
    assert set(scale.rows_of("t8")) == set(scale.words.rows)
    assert set(scale.rows_of("t7")) == set(scale.costs.rows)


def test_study_and_figures_show_students_of_the_scale():
    names = {variant.name for variant in PICTUREBOOK.rows.variants}
    assert PICTUREBOOK.study is not None
    assert PICTUREBOOK.rows_of("t2") == PICTUREBOOK.study.rows == ("ours", "captions-segments")
    shown = {row for figure in PICTUREBOOK.figures for row in figure.rows}
    assert set(PICTUREBOOK.rows_of("figures")) == shown <= names
    assert {figure.name for figure in PICTUREBOOK.figures} == {"losses", "captions"}


@BOTH
def test_the_figures_are_the_papers(scale: Scale):
    """VOC, Context and COCO where the paper has them."""
    papers = {table.name: list(table.paper.values()) for table in scale.tables}
    assert papers["t1"][1:] in ([28.1], [28.1, 53.0])
    for table in scale.tables:  # the paper's MaskCLIP (Dong et al.) is not the read-out of that name
        assert all("maskclip" not in theirs for theirs in (table.paper, *table.also.values()))
    assert papers["t3"] == [21.1, 23.7, 40.2, 32.4, 40.8]
    assert papers["t4"] == [21.1, 28.5, 38.6, 40.8]
    assert papers["t5"] == [35.6, 37.6, 38.7, 40.4, 39.8, 40.8, 33.3, 32.8]
    assert papers["t6"] == [40.8, 42.9]
    speed_up = next(table.speed_up for table in scale.tables if table.name == "t5")
    assert list(speed_up.values()) == [15, 19, 26, 32, 36, 39, 43]
    assert dict(scale.words.paper) == {"ours": 27.85, "captions": 9.78}


def test_rows_in_the_small_differ_in_what_they_are_about():
    def small(row: str):
        return config(PICTUREBOOK, row)

    assert small("1x1-3x3").views.grids == (1, 3)
    assert small("ours").views.grids == (1, 2, 3, 4)
    assert not small("loss-base").multi_scale
    assert not small("loss-matching").multi_scale
    assert small("loss-multi-scale").multi_scale
    assert small("loss-matching").losses == small("ours").losses
    assert small("loss-base").losses == small("loss-multi-scale").losses
    assert (small("equation-1").losses.matching, small("ours").losses.matching) == (1.0, 0.0)
    assert [small(f"mask-{ratio}").mask_ratio for ratio in (0, 30, 80)] == [0.0, 0.3, 0.8]
    assert [small(f"images-{part}").first_images for part in ("half", "tenth")] == [3584, 717]


def test_rows_at_the_papers_size_differ_in_what_they_are_about():
    def large(row: str):
        return config(PAPER, row)

    recipe = imagenet_vitb16()
    assert large("ours").losses == recipe.losses
    assert large("ours").loop.steps == recipe.loop.steps
    assert [large(row).losses.matching for row in ("loss-base", "loss-multi-scale", "loss-matching")] == [0, 0, 1]
    t3 = next(table for table in PAPER.tables if table.name == "t3")
    assert t3.rows[0] == "loss-base"  # the paper's 1x1: one view, the global token against it
    assert [large(row).multi_scale for row in ("loss-base", "loss-multi-scale", "loss-matching")] == [
        False,
        True,
        False,
    ]
    assert large("loss-base").student.segment_embedding == "global"  # nothing else teaches its segments a name
    assert (large("mask-70").mask_ratio, large("ours").mask_ratio) == (0.7, 0.6)
    assert (large("ours").first_images, large("images-more").first_images) == (1_281_167, 0)
    assert PAPER.rows.protocol == "paper"
