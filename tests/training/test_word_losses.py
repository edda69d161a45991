"""The losses between images and words, against loops in float64."""

import math

import torch

from zeroseg.training.word_losses import kinds_apart, label_cross_entropy, views_explained


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


def weights(groups: list[list[list[int]]], words: int) -> torch.Tensor:
    found = torch.zeros(len(groups), max(map(len, groups)), words)
    for photo, own in enumerate(groups):
        for row, labels in enumerate(own):
            found[photo, row, labels] = 1 / len(labels)
    return found


def test_a_view_is_explained_by_a_word_of_its_photo_whose_labels_share_or_by_nothing():
    logits, groups = noise(3, 4, 6), [[[0], [0, 2], [3, 4, 5]], [[1]], []]
    left_out = chosen(3, 6, seed=4) & (weights(groups, 6).sum(dim=1) == 0)
    views: list[float] = []
    for photo in range(3):
        for view in range(4):
            own = logits[photo, view].double().tolist()
            said = sum(math.exp(sum(own[word] for word in some) / len(some)) for some in groups[photo])
            total = sum(math.exp(own[word]) for word in range(6) if not left_out[photo, word])
            views.append(math.log(total + math.exp(0.7)) - math.log(said + math.exp(0.7)))
    assert left_out.any()
    loss = views_explained(logits, weights(groups, 6), left_out, torch.tensor(0.7))
    torch.testing.assert_close(loss, torch.tensor(sum(views) / 12))


def test_the_gradient_lifts_the_word_that_is_already_the_best_with_all_its_labels():
    """Which word a view shows stays open: the one that fits best gets nearly all of the gradient."""
    logits = torch.tensor([[[4.0, 3.0, 0.0, 0.0]]], requires_grad=True)
    nobody = torch.zeros(1, 4, dtype=torch.bool)
    views_explained(logits, weights([[[0, 1], [2]]], 4), nobody, torch.tensor(-9.0)).backward()
    assert logits.grad is not None
    best, shared, other, wrong = logits.grad[0, 0].tolist()
    assert shared < 0 < wrong
    assert shared < other
    assert best < 0.3


def test_kinds_are_drawn_to_what_they_are_kinds_of_and_not_the_other_way():
    words = noise(3, 4).requires_grad_()
    loss = kinds_apart(words, torch.tensor([[0, 2], [1, 2]]))
    loss.backward()
    apart = [1 - float(torch.cosine_similarity(words[kind], words[2], dim=0).detach()) for kind in (0, 1)]
    torch.testing.assert_close(loss.detach(), torch.tensor(sum(apart) / 2))
    assert words.grad is not None
    assert words.grad[:2].abs().amin(dim=1).gt(0).all()
    assert not words.grad[2].any()
    assert float(kinds_apart(noise(3, 4), torch.zeros(0, 2, dtype=torch.long))) == 0
