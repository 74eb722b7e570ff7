"""Images and masks of the rows that are asked for, normalised; the source stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data import images as loading
from bench.data.augment import Augmentation
from bench.data.batches import Draw, mapped
from bench.data.images import Images
from bench.data.prepared import SplitData
from bench.spec import Split

MOMENTS = {"mean": [0.4], "std": [0.2]}


def split(name: Split, count: int, *, masks: bool = False, folder: Path | None = None) -> SplitData:
    """Random images of 12x8 pixels; memory-mapped where a folder is given."""
    rng = np.random.default_rng(count)
    arrays = {"inputs": rng.integers(0, 256, (count, 1, 12, 8), dtype=np.uint8)}
    if masks:
        arrays["masks"] = rng.integers(0, 3, (count, 12, 8), dtype=np.uint8)
    if folder is not None:
        for array_name, array in arrays.items():
            np.save(folder / f"{array_name}.npy", array)
            arrays[array_name] = np.load(folder / f"{array_name}.npy", mmap_mode="r")
    names = [f"{name}-{row}" for row in range(count)]
    return SplitData(
        split=name, labels=rng.integers(0, 3, count), ids=names, groups=names, cases=names, **arrays
    )


def test_images_are_normalised_rows_of_the_memory_map(tmp_path: Path) -> None:
    train = split("train", 20, folder=tmp_path)
    assert train.inputs is not None
    source = Images([train], **MOMENTS, device="cpu")
    rows = np.array([5, 3, 19, 3])
    ((inputs, labels),) = source.batches([Draw.plain(rows)])
    raw = torch.from_numpy(train.inputs[rows]).float() / 255
    torch.testing.assert_close(inputs, (raw - 0.4) / 0.2, atol=1e-5, rtol=1e-5)
    assert labels.tolist() == train.labels[rows].tolist()
    assert labels.dtype == torch.int64 and source.resident and not source.segmentation


def test_two_normalisations_share_their_images(tmp_path: Path) -> None:
    train = split("train", 20, folder=tmp_path)
    assert train.inputs is not None
    own = Images([train], **MOMENTS, device="cpu")
    theirs = own.normalised([0.1, 0.5, 0.9], [0.2, 0.3, 0.4])
    assert theirs._inputs is own._inputs and theirs.labels is own.labels
    draw = Draw.plain(np.array([5, 3]))
    raw = torch.from_numpy(train.inputs[draw.rows]).float() / 255
    ((grey, _),), ((coloured, _),) = own.batches([draw]), theirs.batches([draw])
    torch.testing.assert_close(grey, (raw - 0.4) / 0.2, atol=1e-5, rtol=1e-5)
    for channel, (mean, std) in enumerate([(0.1, 0.2), (0.5, 0.3), (0.9, 0.4)]):
        one = coloured[:, channel : channel + 1]
        torch.testing.assert_close(one, (raw - mean) / std, atol=1e-5, rtol=1e-5)


def test_masks_are_the_targets_where_there_are_any() -> None:
    parts = [split("train", 9, masks=True), split("validation", 4, masks=True)]
    source = Images(parts, **MOMENTS, device="cpu")
    rows = np.array([8, 9, 0, 12])
    ((inputs, masks),) = source.batches([Draw.plain(rows)])
    assert source.segmentation and masks.dtype == torch.int64 and inputs.shape == (4, 1, 12, 8)
    everything = np.concatenate([part.masks for part in parts if part.masks is not None])
    assert (masks.numpy() == everything[rows]).all()


def test_gathering_off_the_device_gives_the_same() -> None:
    whole = split("train", 30)
    assert whole.inputs is not None
    parts = [
        SplitData(
            split="train", labels=whole.labels[rows], ids=[], groups=[], inputs=whole.inputs[rows]
        )
        for rows in (slice(0, 11), slice(11, 30))
    ]
    one, two = (Images(given, **MOMENTS, device="cpu") for given in ([whole], parts))
    order = one.order(Draw.plain(np.arange(30)), batch_size=8, seed=0, epoch=1)
    for (a, x), (b, y) in zip(one.batches(order), two.batches(order), strict=True):
        assert torch.equal(a, b) and torch.equal(x, y)


def test_evaluation_sees_each_row_once() -> None:
    order = Images([split("test", 45)], **MOMENTS, device="cpu").sequence(7)
    assert np.concatenate([draw.rows for draw in order]).tolist() == list(range(45))
    assert max(map(len, order)) == 7
    assert not any(draw.made.any() for draw in order)


def test_on_a_cpu_the_map_is_shared_and_never_written_to(tmp_path: Path) -> None:
    train = split("train", 20, masks=True, folder=tmp_path)
    assert train.inputs is not None and train.masks is not None
    assert mapped(train.inputs).data_ptr() == train.inputs.ctypes.data
    # A second source of arrays in memory, which nothing would protect from being overwritten.
    inputs, masks = np.array(train.inputs), np.array(train.masks)
    loose = SplitData(
        split="train", labels=train.labels, ids=[], groups=[], inputs=inputs, masks=masks
    )
    augmentation = Augmentation.of(
        {"augmentation": "flips_rotation", "gamma": True, "cutmix": 1.0, "balance": "smote"},
        kind="image_segmentation", classes=3, **MOMENTS,
    )  # fmt: skip
    every = Draw(np.arange(20), np.arange(20) > 9)
    for part in (train, loose):
        source = Images([part], **MOMENTS, device="cpu")
        for _ in source.batches(
            [every], augmentation=augmentation, generator=torch.Generator().manual_seed(0)
        ):
            pass
    assert (inputs == train.inputs).all() and (masks == train.masks).all()


def test_extra_samples_of_a_batch_are_changed_and_the_others_are_not() -> None:
    train = split("train", 6)
    source = Images([train], **MOMENTS, device="cpu")
    augmentation = Augmentation.of(
        {"balance": "oversample"}, kind="image_classification", classes=3, **MOMENTS
    )
    rows, made = np.array([2, 2, 4, 4]), np.array([False, True, False, True])
    ((plain, _),) = source.batches([Draw.plain(rows)])
    ((found, _),) = source.batches(
        [Draw(rows, made)], augmentation=augmentation, generator=torch.Generator()
    )
    same = [torch.allclose(a, b, atol=1e-4) for a, b in zip(plain, found, strict=True)]
    assert same == [True, False, True, False]


@pytest.mark.gpu
def test_a_gpu_normalises_one_channel_by_each_of_several_means() -> None:
    several = ([0.1, 0.5, 0.9], [0.2, 0.3, 0.4])
    draw = Draw.plain(np.arange(9))
    here, there = (
        Images([split("train", 9)], **MOMENTS, device=device).normalised(*several)
        for device in ("cpu", "cuda")
    )
    ((one, _),), ((two, _),) = here.batches([draw]), there.batches([draw])
    torch.testing.assert_close(one, two.cpu())


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["none", "flips_rotation"])
def test_a_gpu_gets_the_same_batches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [split("train", 40, masks=True), split("validation", 20, masks=True)]
    config = {"augmentation": name, "gamma": name != "none"}
    augmentation = Augmentation.of(config, kind="image_segmentation", classes=3, **MOMENTS)
    here, resident = (Images(parts, **MOMENTS, device=device) for device in ("cpu", "cuda"))
    monkeypatch.setattr(loading, "SHARE_OF_FREE_MEMORY", 0.0)
    pinned = Images(parts, **MOMENTS, device="cuda")
    assert resident.resident and not pinned.resident
    order = here.order(Draw.plain(np.arange(60)), batch_size=16, seed=0, epoch=1)

    def drawn(source: Images) -> list[tuple[torch.Tensor, torch.Tensor]]:
        coins = torch.Generator().manual_seed(5)
        return [
            (one.cpu(), two.cpu())
            for one, two in source.batches(order, augmentation=augmentation, generator=coins)
        ]

    for source in (resident, pinned):
        for (one, mask), (two, other) in zip(drawn(here), drawn(source), strict=True):
            # A pixel that is read from exactly between two may fall to either side.
            assert (one - two).abs().mean() < 1e-4
            assert (mask != other).float().mean() < 0.002
