"""Background rules: each one's logits by hand, and a saved form that every version reads."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zeroseg.errors import ConfigError
from zeroseg.method_names import Naming
from zeroseg.rules import (
    RULES,
    BackgroundRule,
    ClassScores,
    Margin,
    NoBackground,
    Product,
    Sigmoid,
    Softmax,
    Top5,
    rule_from_json,
    rule_named,
)
from zeroseg.student.config import ReadOut

EVERY = pytest.mark.parametrize("rule", [rule() for rule in RULES.values()], ids=list(RULES))
OLD_TABLE = {  # as read-outs were saved when they were one flat table of fields
    "naming": "patches",
    "background": "softmax",
    "product_threshold": 0.6,
    "margin": 7.0,
    "keep_mean": False,
    "background_words": ["sky", "sand"],
    "refinement": 3,
    "softmax_scale": 65.0,
    "threshold": 0.2,
    "sigmoid_threshold": 0.4,
}


def scores(
    labels: Sequence[Sequence[float]],
    background: Sequence[float],
    image: Sequence[float] = (0.0, 0.0),
    is_stuff: Sequence[bool] = (False, False),
) -> ClassScores:
    return ClassScores(
        torch.tensor(labels), torch.tensor(background), torch.tensor(image), torch.tensor(is_stuff)
    )  # fmt: skip


def softmax(values: Sequence[float]) -> list[float]:
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def assert_rows(found: torch.Tensor, *rows: Sequence[float]) -> None:
    assert found.shape == (len(rows), len(rows[0]))
    for ours, row in zip(found.tolist(), rows, strict=True):
        assert ours == pytest.approx(row, abs=1e-5)


# --- logits by hand ---------------------------------------------------------------------------------


def test_product_score_and_its_threshold():
    """With two labels both softmaxes run over both: a region's score is its probability squared."""
    given_scores = scores([[2.0, 1.0], [0.5, 0.4]], [9.0, 9.0])
    sure, unsure = softmax([2.0, 1.0]), softmax([0.5, 0.4])
    found = Product(0.35).logits(given_scores)
    assert_rows(found, [0.35, *(p * p for p in sure)], [0.35, *(p * p for p in unsure)])
    assert found.argmax(dim=1).tolist() == [1, 0]
    high = Product(0.95).logits(given_scores)  # the cap: the best region keeps its label
    assert high.argmax(dim=1).tolist() == [1, 0]
    assert float(high[0, 0]) == pytest.approx(sure[0] ** 2, abs=1e-5)


def test_product_score_without_a_background_keeps_the_images_best_five():
    """GroupViT's code has the five best in both cases: the best label of a region may not be among them."""
    labels = [[9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]
    image = [0.0, 5.0, 6.0, 7.0, 8.0, 1.0, 9.0]  # the first is only the seventh
    given_scores = ClassScores(
        torch.tensor(labels), torch.zeros(1), torch.tensor(image), torch.zeros(7, dtype=torch.bool)
    )
    assert Top5().logits(given_scores).argmax(dim=1).tolist() == [6]
    assert NoBackground().logits(given_scores).argmax(dim=1).tolist() == [0]
    assert float(Top5().logits(given_scores)[0, 0]) == 0.0


def test_softmax_takes_out_labels_of_a_small_area():
    """Two labels win nine regions and one of ten: with an area of .1 the second is not larger than that (SCLIP)."""
    labels = [[90.0, 10.0]] * 9 + [[50.0, 60.0]]
    whole = torch.tensor([*labels, [0.0, 0.0]])
    rows = torch.cat([whole, torch.tensor([[20.0]] * 9 + [[55.0], [0.0]])], dim=1)

    def labelled(area: float) -> list[int]:
        rule = Softmax(0.1, 100.0, area)
        found = rule.class_scores(rows, [0, 1, -1], torch.tensor([False, False]))
        return rule.logits(found).argmax(dim=1).tolist()

    assert labelled(0.0) == [1] * 9 + [2]
    assert labelled(0.1) == [1] * 9 + [0]  # the background's word is the next best there
    assert labelled(0.09) == [1] * 9 + [2]


def test_margin_over_the_best_background_word():
    found = Margin(1.5).logits(scores([[26.0, 20.0], [25.0, 24.9], [10.0, 30.0]], [24.0, 24.0, 31.0]))
    assert_rows(
        found, *(softmax([value / 5 for value in row]) for row in ([25.5, 26, 20], [25.5, 25, 24.9], [32.5, 10, 30]))
    )
    assert found.argmax(dim=1).tolist() == [1, 0, 0]


def test_margin_without_background_words_is_the_score_to_reach():
    found = Margin(25.0).logits(scores([[26.0, 20.0]], [-math.inf]))
    assert_rows(found, softmax([25 / 5, 26 / 5, 20 / 5]))


def test_labels_for_stuff_keep_the_margin_that_they_have_as_background_words():
    found = Margin(7.0).logits(scores([[20.0, 15.0]], [16.0], is_stuff=[False, True]))
    assert_rows(found, softmax([23 / 5, 20 / 5, 22 / 5]))
    bare = NoBackground(7.0).logits(scores([[20.0, 15.0]], [16.0], is_stuff=[False, True]))
    assert_rows(bare, softmax([20 / 5, 22 / 5]))
    assert bare.argmax(dim=1).tolist() == [1]


def test_a_label_without_one_sure_region_is_absent_and_one_lets_the_others_in():
    """Leads over the background: of the first label 9 and 1, of the second 1 and 4, of the third (stuff) 0 and 1."""
    given_scores = scores(
        [[29.0, 21.0, 20.0], [21.0, 24.0, 21.0]], [20.0, 20.0], (0.0, 0.0, 0.0), (False, False, True)
    )  # fmt: skip
    found = Margin(presence=5.0).logits(given_scores)
    assert_rows(
        found, *(softmax([value / 5 for value in row]) for row in ([20, 29, -math.inf, 20], [20, 21, -math.inf, 21]))
    )
    assert Margin(presence=4.0).logits(given_scores)[:, 2].min() > 0
    raised = Margin(1.0, presence=5.0).logits(given_scores)  # the margin counts: 9 is not 1 + 9
    assert raised[:, 1].min() > 0
    assert Margin(1.0, presence=9.0).logits(given_scores)[:, 1].tolist() == [0.0, 0.0]
    assert torch.equal(Margin(presence=0.0).logits(given_scores), Margin().logits(given_scores))


def test_if_every_label_is_absent_all_is_background():
    found = Margin(presence=50.0).logits(scores([[26.0, 20.0], [25.0, 24.9]], [20.0, 21.0]))
    assert found.tolist() == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def test_softmax_takes_a_background_word_or_the_threshold():
    """Cosines of .3, .2 and .1 at a scale of 40; then without any background word."""
    similarities = torch.tensor([[30.0, 20.0, 10.0], [10.0, 20.0, 30.0], [0.0, 0.0, 0.0]])  # the last: the image
    likely = softmax([12.0, 8.0, 4.0])
    is_stuff = torch.tensor([False, False])
    rule = Softmax(0.1, 40.0)
    found = rule.logits(rule.class_scores(similarities, [0, 1, -1], is_stuff))
    assert_rows(found, [0.1, likely[0], likely[1]], [likely[0], likely[2], likely[1]])
    assert found.argmax(dim=1).tolist() == [1, 0]
    nobody = rule.class_scores(similarities[:, :2], [0, 1], is_stuff)
    assert nobody.background.tolist() == [0.0, 0.0]
    assert_rows(rule.probabilities(nobody), [0.0, *softmax([12.0, 8.0])], [0.0, *softmax([4.0, 8.0])])
    assert_rows(rule.at(0.99).logits(nobody), [0.99, *softmax([12.0, 8.0])], [0.99, *softmax([4.0, 8.0])])


def test_sigmoid_looks_at_each_label_by_itself():
    found = Sigmoid(0.4).logits(scores([[25.0, 35.0], [10.0, 10.0]], [45.0, -math.inf]))
    assert_rows(found, [sigmoid(2.0), 0.5, sigmoid(1.0)], [0.4, sigmoid(-1.5), sigmoid(-1.5)])


@pytest.mark.parametrize(("scale", "bias"), [(10.0, -2.5), (112.7, -16.5), (117.3, -12.9)])
def test_sigmoid_of_a_teacher_is_its_own_probability(scale: float, bias: float):
    """The first is TCL's, written in the other way; the others are of the size of SigLIP's."""
    cosines = [-0.1, 0.05, 0.12, 0.15, 0.3]
    rule = Sigmoid.of_teacher(scale, bias, 0.001)
    found = rule.logits(scores([[100 * cosine, 0.0] for cosine in cosines], [-math.inf] * len(cosines)))
    assert found[:, 1].tolist() == pytest.approx([sigmoid(scale * cosine + bias) for cosine in cosines], abs=1e-4)
    assert rule.threshold == 0.001


# --- probabilities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [Product(), Margin(3.0), Sigmoid()], ids=lambda rule: rule.name)
def test_probabilities_are_a_softmax_at_clips_scale(rule: BackgroundRule):
    found = rule.probabilities(scores([[2.0, 1.0]], [3.0]))
    assert_rows(found, softmax([3.0, 2.0, 1.0]))


def test_probabilities_without_background_are_of_the_labels_alone():
    assert_rows(NoBackground(4.0).probabilities(scores([[2.0, 1.0]], [3.0])), softmax([2.0, 1.0]))


@EVERY
def test_probabilities_have_a_column_for_each_logit_and_add_up_to_one_where_all_words_are_classes(rule: BackgroundRule):
    similarities = torch.tensor([[30.0, 20.0, 10.0], [10.0, 20.0, 30.0]])
    made = rule.class_scores(similarities, [0, 1, -1], torch.tensor([False, True]))
    likely, logits = rule.probabilities(made), rule.logits(made)
    assert likely.shape == logits.shape == (1, 2 + rule.has_background)
    assert float(likely.sum()) == pytest.approx(1.0)


def test_class_scores_are_those_of_the_best_words_and_of_the_image():
    similarities = torch.tensor([[1.0, 5.0, 7.0, 2.0], [3.0, 4.0, 0.0, 9.0]])
    made = Margin().class_scores(similarities, [0, 1, 0, -1], torch.tensor([True, False]))
    assert made.labels.tolist() == [[7.0, 5.0]]
    assert made.background.tolist() == [2.0]
    assert made.image.tolist() == [3.0, 4.0]
    assert made.is_stuff.tolist() == [True, False]


# --- values -----------------------------------------------------------------------------------------


@EVERY
def test_another_threshold_changes_nothing_else(rule: BackgroundRule):
    moved = rule.at(0.3)
    assert type(moved) is type(rule)
    assert moved.threshold == 0.3
    assert moved.at(rule.threshold) == rule
    assert Softmax(0.2, 65.0).at(0.3) == Softmax(0.3, 65.0)


@EVERY
def test_thresholds_to_try_are_in_order_and_each_once(rule: BackgroundRule):
    assert list(rule.candidates) == sorted(set(rule.candidates))
    assert len(rule.candidates) == (39 if rule.name in ("product", "softmax", "sigmoid") else 85)


@pytest.mark.parametrize(
    ("rule", "without"),
    [
        (Margin(7.0), NoBackground(7.0)),
        (NoBackground(7.0), NoBackground(7.0)),
        (Product(0.4), Top5()),
        (Top5(), Top5()),
        (Softmax(0.4, 65.0), NoBackground(0.0)),
        (Sigmoid(0.4), NoBackground(0.0)),
    ],
    ids=lambda rule: rule.name,
)
def test_without_background_a_margin_stays_the_lead_of_stuff(rule: BackgroundRule, without: BackgroundRule):
    assert rule.without_background() == without


@EVERY
def test_a_rule_is_found_by_its_name(rule: BackgroundRule):
    assert rule_named(rule.name) == rule
    assert rule_named(rule.name, rule.at(0.25)) == rule.at(0.25)
    other = rule_named("softmax", Margin(7.0)) if rule.name != "softmax" else rule_named("margin", Softmax(0.9))
    assert other.threshold == RULES[other.name]().threshold


def test_no_background_by_name_keeps_the_lead_of_stuff():
    assert rule_named("none", Margin(7.0)) == NoBackground(7.0)
    assert rule_named("none") == NoBackground(0.0)
    assert rule_named("top5", Margin(7.0)) == Top5(7.0)


@pytest.mark.parametrize("make", [rule_named, lambda name: rule_from_json({"background": name})])
def test_a_rule_that_there_is_not(make: Any):
    with pytest.raises(
        ConfigError, match="no background rule 'otsu': choose one of product, margin, softmax, sigmoid, none, top5"
    ):
        make("otsu")


@EVERY
def test_a_rule_says_its_threshold_in_words(rule: BackgroundRule):
    assert "0.125" in rule.at(0.125).describe()


def test_what_is_named_everywhere_says_so():
    assert NoBackground().describe() == "none, every pixel is named"
    assert "TCL's" in Sigmoid().describe()
    assert "the teacher's own scale" in Sigmoid.of_teacher(100.0, -10.0).describe()


# --- saved ------------------------------------------------------------------------------------------

MARGIN, CHANCE, SCALE = st.floats(-200, 200), st.floats(0, 1), st.floats(0.001, 10_000)
ANY = st.one_of(
    st.builds(Product, CHANCE),
    st.just(Top5()),
    st.builds(Margin, MARGIN),
    st.builds(Softmax, CHANCE, SCALE),
    st.builds(Sigmoid, CHANCE, SCALE, st.floats(-10, 10)),
    st.builds(NoBackground, MARGIN),
)


@given(rule=ANY, naming=st.sampled_from(["segments", "patches"]), refinement=st.integers(0, 30))
def test_what_is_saved_comes_back(rule: BackgroundRule, naming: Naming, refinement: int):
    read_out = ReadOut(naming, rule, ("sky",), refinement=refinement)
    assert rule_from_json(json.loads(json.dumps(rule.to_json()))) == rule
    assert ReadOut.from_json(json.loads(json.dumps(read_out.to_json()))) == read_out
    assert OLD_TABLE.keys() <= read_out.to_json().keys()


@pytest.mark.parametrize(
    "rule", [Product(0.6), Margin(7.0), Softmax(0.2, 65.0), Sigmoid(0.4), NoBackground(7.0)], ids=lambda rule: rule.name
)
def test_a_table_of_former_weights_is_read_and_saved_alike(rule: BackgroundRule):
    """Each rule finds its own entries; those of rules that are not in use go back to what is usual."""
    read_out = ReadOut.from_json({**OLD_TABLE, "background": rule.name})
    assert read_out == ReadOut("patches", rule, ("sky", "sand"), keep_mean=False, refinement=3)
    saved = json.loads(json.dumps(read_out.to_json()))
    assert saved.keys() == OLD_TABLE.keys()
    for key in ("naming", "keep_mean", "background_words", "refinement", *rule.saved_as.values()):
        if key in OLD_TABLE:
            assert saved[key] == OLD_TABLE[key]


def test_an_empty_table_is_the_papers_read_out():
    assert ReadOut.from_json({}) == ReadOut() == ReadOut("segments", Product(0.95), refinement=0)


def test_keys_that_no_read_out_has_are_refused():
    with pytest.raises(ConfigError, match="unknown keys: marign, treshold"):
        ReadOut.from_json({"treshold": 0.5, "marign": 1.0, "naming": "patches"})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"background": "product", "product_threshold": 2}, "product_threshold must be a number from 0 to 1, not 2"),
        ({"background": "softmax", "threshold": -0.1}, "threshold must be a number from 0 to 1, not -0.1"),
        ({"background": "softmax", "softmax_scale": 0}, "softmax_scale must be a number from 0.001 to 10000, not 0"),
        ({"background": "sigmoid", "sigmoid_slope": -1}, "sigmoid_slope must be a number from 0.001"),
        ({"background": "sigmoid", "sigmoid_middle": math.nan}, "sigmoid_middle must be a number .* not nan"),
        ({"background": "margin", "margin": 1e300}, r"margin must be a number from -200 to 200, not 1e\+300"),
        ({"background": "margin", "margin": "7"}, "margin must be a number from -200 to 200, not '7'"),
        ({"background": "margin", "margin": True}, "not True"),
        ({"background": "margin", "margin": None}, "not None"),
        ({"background": "margin", "margin": [1]}, r"margin must be a number .* not \[1\]"),
        ({"background": ["margin"]}, "there is no background rule"),
        ({"naming": "pixels"}, "there is no naming by 'pixels': choose one of segments, patches"),
        ({"refinement": -1}, "refinement must be 0 iterations or more, not -1"),
        ({"refinement": 1.5}, "refinement must be 0 iterations or more, not 1.5"),
        ({"keep_mean": "no"}, "keep_mean must be true or false, not 'no'"),
        ({"background_words": "sky"}, "background_words must be a list of words, not 'sky'"),
        ({"background_words": [1]}, "background_words must be a list of words"),
    ],
)
def test_values_of_another_kind_or_out_of_range_are_refused(table: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        ReadOut.from_json(table)


def test_a_teachers_sigmoid_is_saved_with_its_scale_and_tcls_as_ever():
    assert Sigmoid(0.4).to_json() == {"background": "sigmoid", "sigmoid_threshold": 0.4}
    own = Sigmoid.of_teacher(100.0, -10.0)
    assert own.to_json().keys() == {"background", "sigmoid_threshold", "sigmoid_slope", "sigmoid_middle"}
    assert replace(own, slope=10.0, middle=0.25) == Sigmoid()
