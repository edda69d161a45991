"""The learning rate at every step, and which weights decay."""

import math
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from tests.tiny import LITE_STUDENT, PATCH_STUDENT, STUDENT, clip, student
from zeroseg.errors import ConfigError
from zeroseg.student import StudentConfig
from zeroseg.training.checkpoint import Checkpoints
from zeroseg.training.optimiser import Optimiser, OptimiserConfig, build_optimiser, learning_rate


@pytest.mark.parametrize(("steps", "warmup"), [(100, 10), (80, 20), (10, 1), (1, 1), (2, 1)])
def test_rate_rises_in_a_line_and_falls_in_half_a_cosine(steps: int, warmup: int):
    config = OptimiserConfig(learning_rate=0.4, warmup=warmup / steps)
    for step in range(steps):
        if step < warmup:
            expected = 0.4 * (step + 1) / warmup
        else:
            expected = 0.4 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
        assert learning_rate(step, steps, config) == pytest.approx(expected)


def test_rate_has_its_values_at_the_corners():
    config = OptimiserConfig(learning_rate=1.0, warmup=0.25)
    rates = [learning_rate(step, 80, config) for step in range(80)]
    assert rates[0] == pytest.approx(1 / 20)  # never 0: the first step counts
    assert rates[19] == rates[20] == 1.0
    assert rates[50] == pytest.approx(0.5)  # half-way down
    assert 0 < rates[-1] < 0.002
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_no_warmup_still_takes_one_step():
    assert learning_rate(0, 10, OptimiserConfig(learning_rate=1.0, warmup=0.0)) == 1.0


FREE = ("bias", "class_token", "mask_token", "segment_tokens", "first_tokens", "positions", "log_scale", "logit_scale")


def groups(model: nn.Module) -> tuple[set[str], set[str]]:
    """Names of the weights that decay, and of those that do not."""
    names = {id(weight): name for name, weight in model.named_parameters()}
    optimiser = build_optimiser(model, OptimiserConfig(weight_decay=0.05))
    decayed, free = set(), set()
    for group in optimiser.param_groups:
        target = {0.05: decayed, 0.0: free}[group["weight_decay"]]
        target |= {names[id(weight)] for weight in group["params"]}
    return decayed, free


@pytest.mark.parametrize("config", [STUDENT, PATCH_STUDENT], ids=["paper", "ours"])
def test_biases_norms_tokens_positions_and_scalars_of_a_student_go_free(config: StudentConfig):
    model = student(config)
    decayed, free = groups(model)
    assert decayed | free == {name for name, _ in model.named_parameters()}
    assert not decayed & free
    norms = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.LayerNorm)}
    expected = {name for name, _ in model.named_parameters() if name.endswith(FREE)} | norms
    assert free == expected
    assert all(model.get_parameter(name).ndim > 1 for name in decayed)
    kinds = {name.rsplit(".")[-1] for name in free}
    tokens = {"segment_tokens", "positions"} if config.grouping == "light" else {"first_tokens"}
    assert {"class_token", "bias", "weight"} | tokens <= kinds


def test_class_token_scale_biases_and_norms_of_a_teacher_go_free():
    """CLIP calls its class token `class_embedding`; its tables of words and positions are matrices to us."""
    decayed, free = groups(clip())
    assert {"logit_scale", "vision_model.embeddings.class_embedding"} <= free
    assert all(name.endswith(".weight") and "norm" not in name for name in decayed)
    assert "visual_projection.weight" in decayed


def test_frozen_weights_are_left_to_themselves():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    decayed, free = groups(model)
    assert decayed | free == {"1.weight", "1.bias"}


def test_decay_shrinks_matrices_only():
    model = nn.Linear(3, 3)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimiser = build_optimiser(model, OptimiserConfig(learning_rate=0.1, weight_decay=0.5))
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    torch.testing.assert_close(model.weight.detach(), before["weight"] * (1 - 0.1 * 0.5))
    assert torch.equal(model.bias.detach(), before["bias"])


def test_muon_takes_the_matrices_of_linear_layers_and_adamw_the_rest():
    model = student(PATCH_STUDENT)
    adamw, muon = build_optimiser(model, OptimiserConfig("muon")).parts
    names = {id(weight): name for name, weight in model.named_parameters()}
    orthogonal = {names[id(weight)] for group in muon.param_groups for weight in group["params"]}
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert orthogonal == linear - {"salience.weight"}  # a matrix of one row would only ever change its length by a step
    others = {names[id(weight)] for group in adamw.param_groups for weight in group["params"]}
    assert others == set(names.values()) - orthogonal


def test_first_update_of_muon_is_orthogonal_and_as_long_as_one_of_adamw():
    """Liu et al. 2025: an update of .2 x rate in the mean square, whatever the shape."""
    torch.manual_seed(0)
    model = nn.Linear(32, 64, bias=False)
    before = model.weight.detach().clone()
    optimiser = build_optimiser(model, OptimiserConfig("muon", learning_rate=0.1, weight_decay=0.0))
    model.weight.grad = torch.randn(64, 32) * torch.logspace(-0.5, 0.5, 32)
    optimiser.step()
    update = before - model.weight.detach()
    assert float(update.square().mean().sqrt()) == pytest.approx(0.2 * 0.1, rel=0.25)
    lengths = torch.linalg.svdvals(update)
    assert float(lengths.max() / lengths.min()) < 3
    assert float(torch.linalg.cond(model.weight.grad)) > 10


@pytest.mark.parametrize("algorithm", ["adamw", "muon"])
@pytest.mark.parametrize("config", [PATCH_STUDENT, LITE_STUDENT], ids=["vit", "lite"])
def test_the_encoders_pretrained_weights_have_a_rate_of_their_own(
    config: StudentConfig, algorithm: Literal["adamw", "muon"]
):
    model = student(config)
    optimiser = build_optimiser(model, OptimiserConfig(algorithm, learning_rate=0.4, encoder_rate=0.1))
    optimiser.set_rate(0.2)
    rates = {id(weight): group["lr"] for group in optimiser.param_groups for weight in group["params"]}
    pretrained = {id(weight) for weight in model.encoder.pretrained().values()}
    for name, weight in model.named_parameters():
        assert rates[id(weight)] == pytest.approx(0.02 if id(weight) in pretrained else 0.2), name
    assert optimiser.param_groups[0]["lr"] == 0.2  # the one that is logged
    new = {name for name, weight in model.encoder.named_parameters() if id(weight) not in pretrained}
    assert {name.split(".")[0] for name in new} == (
        {"from_fine", "from_last", "norm"} if config is LITE_STUDENT else set()
    )


@pytest.mark.parametrize("algorithm", ["adamw", "muon"])
def test_a_rate_of_its_own_changes_no_decay(algorithm: Literal["adamw", "muon"]):
    model = student(LITE_STUDENT)

    def decays(encoder_rate: float) -> dict[int, float]:
        groups = build_optimiser(model, OptimiserConfig(algorithm, encoder_rate=encoder_rate)).param_groups
        return {id(weight): group["weight_decay"] for group in groups for weight in group["params"]}

    assert decays(1.0) == decays(0.5)
    assert len(decays(1.0)) == len(list(model.parameters()))


def test_without_a_rate_of_its_own_there_are_the_former_groups():
    """Its state is that of a checkpoint of before."""
    groups = build_optimiser(student(PATCH_STUDENT), OptimiserConfig()).param_groups
    assert len(groups) == 2
    assert not any("factor" in group for group in groups)


def test_a_factor_is_kept_in_the_state():
    model, config = student(LITE_STUDENT), OptimiserConfig("muon", encoder_rate=0.25)
    first, second = build_optimiser(model, config), build_optimiser(model, config)
    second.load_state_dict(first.state_dict())
    second.set_rate(1.0)
    assert {group["lr"] for group in second.param_groups} == {1.0, 0.25}


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="encoder_rate must be above 0"):
        OptimiserConfig(encoder_rate=0.0)


def test_both_parts_resume(tmp_path: Path):
    """The state of both optimisers goes through a checkpoint, and the rate set afterwards reaches them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))

    def step(optimiser: Optimiser) -> None:
        model(torch.arange(8.0).view(2, 4)).square()[:, 0].sum().backward()
        for group in optimiser.param_groups:
            group["lr"] = 0.01
        optimiser.step()
        optimiser.zero_grad()

    first = build_optimiser(model, OptimiserConfig("muon"))
    step(first)
    Checkpoints(tmp_path).save({"model": model.state_dict(), "optimiser": first.state_dict(), "step": 1, "bad": 0})
    step(first)
    expected = model.get_parameter("0.weight").detach().clone(), model.get_parameter("1.weight").detach().clone()
    state = Checkpoints(tmp_path).load()
    model.load_state_dict(state["model"])
    second = build_optimiser(model, OptimiserConfig("muon"))
    second.load_state_dict(state["optimiser"])
    step(second)
    assert torch.equal(model.get_parameter("0.weight"), expected[0])
    assert torch.equal(model.get_parameter("1.weight"), expected[1])
