"""The generated polyps: the shares of MHIST, votes that follow ambiguity, what pixels tell."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from suite.phantoms.mhist import ANNOTATORS, COLUMNS, SSA_SHARE, TRAIN_SHARE, drawn, letters, write


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "annotations.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_files_are_laid_out_as_in_mhist(tmp_path: Path) -> None:
    write(tmp_path, cases=5, seed=1)
    table = rows(tmp_path)
    assert tuple(table[0]) == COLUMNS
    names = [row["Image Name"] for row in table]
    assert names == [f"MHIST_aa{letter}.png" for letter in "abcde"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == names
    for name in names:
        with Image.open(tmp_path / "images" / name) as image:
            assert (image.mode, image.size, image.format) == ("RGB", (224, 224), "PNG")


def test_names_go_on_after_three_letters() -> None:
    assert [letters(number) for number in (0, 25, 26, 26**3 - 1)] == ["aaa", "aaz", "aba", "zzz"]
    assert letters(26**3) == "baaa"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cases", [30, 3152])
def test_shares_are_those_of_mhist(seed: int, cases: int) -> None:
    lesions = [drawn(seed, number) for number in range(cases)]
    slack = 0.12 if cases < 100 else 0.03
    for label, share in (("SSA", SSA_SHARE), ("HP", 1 - SSA_SHARE)):
        for partition, part in (("train", TRAIN_SHARE), ("test", 1 - TRAIN_SHARE)):
            inside = [lesion.partition == partition for lesion in lesions]
            assert np.mean(inside) == pytest.approx(part, abs=slack)
            found = [lesion.label == label for lesion in lesions if lesion.partition == partition]
            assert np.mean(found) == pytest.approx(share, abs=2 * slack)


def test_votes_follow_the_ambiguity() -> None:
    lesions = [drawn(0, number) for number in range(3000)]
    degree = np.array([lesion.degree for lesion in lesions])
    votes = np.array([lesion.votes for lesion in lesions])
    assert set(votes) == set(range(ANNOTATORS + 1))
    means = [degree[votes == count].mean() for count in range(ANNOTATORS + 1)]
    assert means == sorted(means)
    split = np.isin(votes, (3, 4))
    assert np.abs(degree[split]).mean() < 0.4 * np.abs(degree[~split]).mean()
    order = np.argsort(degree[split])
    labels = (votes[split] == 4)[order]
    assert labels[: len(labels) // 3].any() and not labels[-len(labels) // 3 :].all()
    assert all((lesion.label == "SSA") == (lesion.votes >= 4) for lesion in lesions)


def test_on_an_ambiguous_lesion_the_annotators_are_split_on_average() -> None:
    lesions = [drawn(seed, number) for seed in range(40) for number in range(60)]
    near = [lesion.votes for lesion in lesions if abs(lesion.degree) < 0.1]
    assert len(near) > 60
    assert np.mean(near) == pytest.approx(3.5, abs=0.5)


@pytest.mark.slow
def test_shapes_tell_the_class_and_colours_hardly(tmp_path: Path) -> None:
    import torch
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from torch import nn

    write(tmp_path, cases=600, seed=0)
    table = rows(tmp_path)
    labels = np.array([row["Majority Vote Label"] == "SSA" for row in table]).astype(int)
    train = np.array([row["Partition"] == "train" for row in table])
    images = []
    for row in table:
        with Image.open(tmp_path / "images" / row["Image Name"]) as image:
            images.append(np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)))
    pixels = torch.tensor(np.array(images)).permute(0, 3, 1, 2) / 255
    pixels = (pixels - pixels.mean((0, 2, 3), True)) / pixels.std((0, 2, 3), keepdim=True)

    colours = torch.cat([pixels.mean((2, 3)), pixels.std((2, 3))], 1).numpy()
    linear = LogisticRegression().fit(colours[train], labels[train])
    by_colour = roc_auc_score(labels[~train], linear.decision_function(colours[~train]))

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))
    optimizer, rng = torch.optim.AdamW(net.parameters(), 2e-3), np.random.default_rng(0)
    for _ in range(12):
        for batch in np.array_split(rng.permutation(np.flatnonzero(train)), 26):
            loss = nn.functional.cross_entropy(net(pixels[batch]), torch.tensor(labels[batch]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        scores = net(pixels[~train]).softmax(1)[:, 1].numpy()
    by_shape = roc_auc_score(labels[~train], scores)
    assert by_colour < 0.75
    assert 0.76 < by_shape < 0.96
    assert by_shape > by_colour + 0.08
