"""The losses between images and words, against loops in float64."""

import math

import torch

from zeroseg.training.word_losses import label_cross_entropy, views_explained


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def chosen(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.3


def test_labels_share_the_probability_of_a_row():
    logits, labels = noise(5, 7), chosen(5, 7, seed=1)
    labels[3] = False
    left_out = chosen(5, 7, seed=2) & ~labels
    rows: list[float] = []
    for row in range(5):
        own = [word for word in range(7) if labels[row, word]]
        total = sum(math.exp(float(logits[row, word])) for word in range(7) if not left_out[row, word])
        if own:
            rows.append(-sum(float(logits[row, word]) - math.log(total) for word in own) / len(own))
    assert 2 <= len(rows) < 5
    loss = label_cross_entropy(logits, labels, left_out)
    torch.testing.assert_close(loss, torch.tensor(sum(rows) / len(rows)))
    assert left_out.any()
    assert not torch.isclose(loss, label_cross_entropy(logits, labels, torch.zeros_like(left_out)))


def test_without_labels_the_loss_is_0_and_has_a_gradient():
    logits = noise(2, 3).requires_grad_()
    nobody = torch.zeros(2, 3, dtype=torch.bool)
    loss = label_cross_entropy(logits, nobody, nobody)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()
    assert float(label_cross_entropy(noise(0, 3), nobody[:0], nobody[:0])) == 0


def test_a_view_is_explained_by_any_label_of_its_photo_or_by_nothing():
    logits, labels = noise(3, 4, 6), chosen(3, 6, seed=3)
    labels[0, 0], labels[2] = True, False
    left_out = chosen(3, 6, seed=4) & ~labels
    nothing = torch.tensor(0.7)
    views: list[float] = []
    for photo in range(3):
        for view in range(4):
            powers = [math.exp(float(logits[photo, view, word])) for word in range(6)]
            own = sum(powers[word] for word in range(6) if labels[photo, word])
            total = sum(powers[word] for word in range(6) if not left_out[photo, word])
            views.append(math.log(total + math.exp(0.7)) - math.log(own + math.exp(0.7)))
    torch.testing.assert_close(views_explained(logits, labels, left_out, nothing), torch.tensor(sum(views) / 12))


def test_the_gradient_lifts_the_label_that_is_already_the_best():
    """Which label a view shows stays open: the one that fits best gets nearly all of the gradient."""
    logits = torch.tensor([[[4.0, 0.0, 0.0]]], requires_grad=True)
    labels = torch.tensor([[True, True, False]])
    views_explained(logits, labels, torch.zeros_like(labels), torch.tensor(-9.0)).backward()
    assert logits.grad is not None
    best, other, wrong = logits.grad[0, 0].tolist()
    assert best < 0 < wrong
    assert abs(other) < abs(best) / 10
