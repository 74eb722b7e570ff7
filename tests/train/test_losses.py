"""Losses against values by hand, and what every one of them must bear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import matthews_corrcoef
from torch import Tensor
from torch.nn import functional

from bench.errors import UserError
from bench.train.losses import BY_CASE, BY_REGION, Loss
from search_spaces.segmentation import SPACE

CPU = torch.device("cpu")


def counted(*counts: int) -> Any:
    return lambda: np.array(counts)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(), (5, 7)], ids=["cases", "pixels"])
def test_micro_batches_add_up_to_torch_s_mean(
    class_weights: str, smoothing: float, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(20, 3, *shape), torch.randint(3, (20, *shape))
    loss = Loss(
        {"class_weights": class_weights, "label_smoothing": smoothing},
        counts=counted(12, 5, 3),
        device=CPU,
    )
    weights = torch.tensor([20 / 36, 20 / 15, 20 / 9]) if class_weights == "balanced" else None
    chosen = torch.randperm(20)[:11]
    parts = chosen.tensor_split(3)
    total = sum(loss.total(logits[part], targets[part]) for part in parts)
    expected = functional.cross_entropy(
        logits[chosen], targets[chosen], weight=weights, label_smoothing=smoothing
    )
    torch.testing.assert_close(total / loss.weight(targets[chosen]), expected)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_pure_mixture_is_its_class(class_weights: str, smoothing: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(9, 3), torch.arange(9) % 3
    config: Any = {"class_weights": class_weights, "label_smoothing": smoothing}
    loss = Loss(config, counts=counted(12, 5, 3), device=CPU)
    pure = functional.one_hot(labels, 3).float()
    torch.testing.assert_close(loss.total(logits, pure), loss.total(logits, labels))
    torch.testing.assert_close(float(loss.weight(pure)), float(loss.weight(labels)))


def test_mixtures_weigh_by_their_shares_and_micro_batches_add_up() -> None:
    torch.manual_seed(0)
    logits, shares = torch.randn(10, 3), torch.rand(10, 3).softmax(dim=1)
    loss = Loss({"class_weights": "balanced"}, counts=counted(2, 2, 4), device=CPU)
    weights = torch.tensor([4 / 3, 4 / 3, 2 / 3])
    weighted = shares * weights
    expected = -(weighted * logits.log_softmax(dim=1)).sum() / weighted.sum()
    parts = torch.arange(10).tensor_split(3)
    total = sum(loss.total(logits[part], shares[part]) for part in parts)
    torch.testing.assert_close(total / loss.weight(shares), expected)


def test_a_class_that_is_not_trained_on_has_no_weight() -> None:
    config: Any = {"class_weights": "balanced", "label_smoothing": 0.1}
    loss = Loss(config, counts=counted(6, 0, 2), device=CPU)
    assert loss.weights is not None
    torch.testing.assert_close(loss.weights, torch.tensor([8 / 18, 0.0, 8 / 6]))


def test_counts_are_not_asked_for_without_weights() -> None:
    def never() -> Any:
        raise AssertionError

    Loss({}, counts=never, device=CPU)


# --- Of segmentations -----------------------------------------------------------------------

CONFIGS: dict[str, dict[str, Any]] = {
    "cross_entropy": {},
    "dice": {},
    "dice_ce": {},
    "tversky": {"tversky_alpha": 0.2, "tversky_beta": 0.9},
    "focal": {"focal_gamma": 1.5},
    "mcc": {},
    "lovasz": {},
}
COUNTS = (50, 30, 4)


def made(name: str, **config: Any) -> Loss:
    config = {"loss": name} | CONFIGS[name] | config
    return Loss(config, counts=counted(*COUNTS), device=CPU)


def mean(loss: Loss, logits: Tensor, targets: Tensor) -> Tensor:
    return loss.total(logits, targets) / loss.weight(targets)


def drawn(cases: int = 3, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Logits and masks in which every class occurs."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(cases, classes, 6, 5, generator=generator)
    return logits, torch.arange(cases * 30).view(cases, 6, 5) % classes


def by_hand(name: str, logits: Tensor, targets: Tensor, weights: np.ndarray | None) -> float:
    """The loss in NumPy, from its definition."""
    classes = logits.shape[1]
    given = logits.double().movedim(1, -1).reshape(-1, classes).numpy()
    p = np.exp(given) / np.exp(given).sum(axis=1, keepdims=True)
    true = np.eye(classes)[targets.flatten().numpy()]
    w = np.ones(classes) if weights is None else weights
    if name in ("cross_entropy", "focal"):
        q, pixel_weights = p[true == 1], true @ w
        doubt = (1 - q) ** CONFIGS["focal"]["focal_gamma"] if name == "focal" else 1
        return float((-np.log(q) * doubt * pixel_weights).sum() / pixel_weights.sum())
    if name == "dice_ce":
        parts = [by_hand(part, logits, targets, weights) for part in ("dice", "cross_entropy")]
        return sum(parts)
    if name == "lovasz":
        return float(np.mean([jaccard_extension(p[:, c], true[:, c]) for c in range(classes)]))
    tp, fp, fn = (p * true).sum(0), (p * (1 - true)).sum(0), ((1 - p) * true).sum(0)
    if name == "mcc":
        tn = ((1 - p) * (1 - true)).sum(0)
        mcc = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return float(1 - mcc[1:].mean())
    alpha, beta = (0.2, 0.9) if name == "tversky" else (0.5, 0.5)
    return float(((1 - tp / (tp + alpha * fp + beta * fn)) * w).sum() / w.sum())


def jaccard_extension(p: np.ndarray, true: np.ndarray) -> float:
    """The integral of the Jaccard loss over all thresholds of the errors (Berman et al. 2018)."""
    errors = np.abs(true - p)
    edges = np.sort(np.append(errors, 0.0))
    found = 0.0
    for low, high in zip(edges, edges[1:], strict=False):
        wrong = errors >= high
        found += (high - low) * wrong.sum() / ((true == 1) | wrong).sum()
    return found


WEIGHTED = [(name, "none") for name in CONFIGS] + [
    (name, "balanced") for name in CONFIGS if name not in ("mcc", "lovasz")
]


@pytest.mark.parametrize(("name", "class_weights"), WEIGHTED)
def test_a_loss_is_what_its_definition_says(name: str, class_weights: str) -> None:
    logits, targets = drawn()
    weights = None if class_weights == "none" else sum(COUNTS) / 3 / np.array(COUNTS)
    found = mean(made(name, class_weights=class_weights), logits, targets)
    assert float(found) == pytest.approx(by_hand(name, logits, targets, weights), abs=1e-5)


def test_mcc_of_hard_masks_is_scikit_learn_s() -> None:
    generator = torch.Generator().manual_seed(1)
    true, said = (torch.randint(3, (2, 20, 20), generator=generator) for _ in range(2))
    true[0], said[0] = 1, 1
    found = mean(made("mcc"), 50 * functional.one_hot(said, 3).movedim(-1, 1).float(), true)
    expected = np.mean(
        [matthews_corrcoef(true.flatten() == c, said.flatten() == c) for c in (1, 2)]
    )
    assert float(found) == pytest.approx(1 - expected, abs=1e-4)


def test_focal_without_gamma_is_cross_entropy() -> None:
    logits, targets = drawn()
    focal = mean(made("focal", focal_gamma=0.0, class_weights="balanced"), logits, targets)
    torch.testing.assert_close(
        focal, mean(made("cross_entropy", class_weights="balanced"), logits, targets)
    )


def test_tversky_of_halves_is_dice() -> None:
    logits, targets = drawn()
    tversky = made("tversky", tversky_alpha=0.5, tversky_beta=0.5)
    torch.testing.assert_close(mean(tversky, logits, targets), mean(made("dice"), logits, targets))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_perfect_prediction_is_near_the_minimum(name: str) -> None:
    logits, targets = drawn()
    perfect = 30 * functional.one_hot(targets, 3).movedim(-1, 1).float()
    right, random, wrong = (
        float(mean(made(name), given, targets)) for given in (perfect, logits, -perfect)
    )
    assert 0 <= right < 1e-3 < random < wrong


@pytest.mark.parametrize("scale", [1.0, 1e3])
@pytest.mark.parametrize("mask", ["background", "one class", "one pixel"])
@pytest.mark.parametrize("name", CONFIGS)
def test_losses_and_gradients_are_finite(name: str, mask: str, scale: float) -> None:
    targets = torch.zeros(3, 6, 5, dtype=torch.long)
    if mask == "one class":
        targets += 2
    elif mask == "one pixel":
        targets[1, 2, 3] = 1
    for given in (drawn()[0], functional.one_hot(targets, 3).movedim(-1, 1)):
        given = (given * scale).requires_grad_()
        value = mean(made(name), given, targets)
        value.backward()
        assert value.isfinite() and given.grad is not None and given.grad.isfinite().all()


@pytest.mark.parametrize("name", CONFIGS)
def test_half_precision_logits_are_judged_in_single(name: str) -> None:
    logits, targets = drawn()
    half = logits.bfloat16()
    found = mean(made(name), half, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, mean(made(name), half.float(), targets))


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_micro_batches_of_pixel_losses_add_up(name: str, class_weights: str) -> None:
    logits, targets = drawn(5)
    loss = made(name, class_weights=class_weights)
    parts = [slice(0, 1), slice(1, 5)]
    total = sum(loss.total(logits[part], targets[part]) for part in parts)
    torch.testing.assert_close(total / loss.weight(targets), mean(loss, logits, targets))


@pytest.mark.parametrize("name", BY_REGION)
def test_micro_batches_of_region_losses_count_by_their_cases(name: str) -> None:
    logits, targets = drawn(5)
    loss, parts = made(name), [slice(0, 1), slice(1, 5)]
    total = sum(loss.total(logits[part], targets[part]) for part in parts)
    each = [mean(loss, logits[part], targets[part]) for part in parts]
    assert loss.weight(targets) == 5
    torch.testing.assert_close(total / loss.weight(targets), (each[0] + 4 * each[1]) / 5)


def test_micro_batches_of_dice_and_cross_entropy_keep_the_latter_exact() -> None:
    logits, targets = drawn(5)
    loss, parts = made("dice_ce"), [slice(0, 1), slice(1, 5)]
    total = sum(loss.total(logits[part], targets[part]) for part in parts)
    dice = [mean(made("dice"), logits[part], targets[part]) for part in parts]
    expected = (dice[0] + 4 * dice[1]) / 5 + mean(made("cross_entropy"), logits, targets)
    torch.testing.assert_close(total / loss.weight(targets), expected)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_step_downhill_lowers_the_loss(name: str) -> None:
    logits, targets = drawn()
    logits.requires_grad_()
    before = mean(made(name), logits, targets)
    before.backward()
    assert logits.grad is not None and logits.grad.abs().max() > 0
    with torch.no_grad():
        stepped = logits - 0.01 * logits.grad / logits.grad.abs().max()
    assert mean(made(name), stepped, targets) < before


def test_the_space_has_every_loss_and_an_unknown_one_is_refused() -> None:
    losses: Any = SPACE["loss"]
    assert set(losses.values) == set(BY_CASE + BY_REGION) == set(CONFIGS)
    with pytest.raises(UserError, match="unknown loss 'dize': did you mean 'dice'"):
        Loss({"loss": "dize"}, counts=counted(1), device=CPU)


def test_a_loss_has_its_own_parameters_and_no_others() -> None:
    own = {
        name: set(SPACE.defaults(pinned={"loss": name})) & {
            "tversky_alpha", "tversky_beta", "focal_gamma", "class_weights",
        }
        for name in CONFIGS
    }  # fmt: skip
    assert own["tversky"] == {"tversky_alpha", "tversky_beta", "class_weights"}
    assert own["focal"] == {"focal_gamma", "class_weights"}
    assert own["mcc"] == own["lovasz"] == set()
    assert own["dice"] == own["dice_ce"] == own["cross_entropy"] == {"class_weights"}
    assert not {"loss", "tversky_alpha", "tversky_beta", "focal_gamma"} & set(SPACE.free({}))
