"""LiTS, the Liver Tumor Segmentation Benchmark: CT volumes in HU with masks of liver and tumour.

Source: Bilic et al. 2023, The Liver Tumor Segmentation Benchmark (LiTS), Medical Image Analysis 84.
It is published as NIfTI volumes; others hand it on as single slices.
"""

from __future__ import annotations

from pathlib import Path

from bench.spec import Case, Dataset
from suite.ct import nifti, slice_folders
from suite.ct.slice_folders import Stack
from suite.ct.tree import Tree
from suite.ct.volume import Volume

LAYOUT = (
    "volume-N.nii[.gz] with segmentation-N.nii[.gz], in one folder or in folders below it; or "
    "slices in two folders side by side, images/ and labels/ (or masks/, segmentations/), as .npy "
    "or as .png files of the same names, volume-12_slice-034.npy, which hold HU or 0 to 255 and 0 "
    "background, 1 liver, 2 tumour"
)


def groups(folder: Path) -> bool:
    """A volume is a patient; slices tell theirs where their names carry a volume's number."""
    return slice_folders.groups(Tree.of(folder))


def files(folder: Path) -> list[Path]:
    """All volumes and segmentations, all slices and their masks."""
    tree = Tree.of(folder)
    return [*nifti.files(tree), *slice_folders.files(tree)]


def problems(folder: Path) -> list[str]:
    """What the names of the files show: partners that are missing, duplicates, mixed layouts."""
    tree = Tree.of(folder)
    volumes, slices = nifti.files(tree), slice_folders.files(tree)
    if volumes and slices:
        return [
            *tree.mistakes,
            f"{folder} holds volumes ({volumes[0].name}) and slices ({slices[0].name}): keep one "
            "layout in one folder",
        ]
    if not volumes and not slices:
        return [*tree.mistakes, f"{folder} holds no LiTS files: expected {LAYOUT}"]
    return [*tree.mistakes, *nifti.problems(tree), *slice_folders.problems(tree)]


def cases(folder: Path) -> list[Case]:
    """One case a volume; one a slice where the slices' names tell of no volumes."""
    tree = Tree.of(folder)
    return nifti.cases(tree) or slice_folders.cases(tree)


def read(case: Case) -> Volume:
    """The volume with its mask. Raises BadData with all that is wrong with its files."""
    if isinstance(case.source, Stack):
        return slice_folders.read(case.source)
    assert isinstance(case.source, nifti.Pair)
    return nifti.read(case.source)


def memory(case: Case) -> int:
    """Bytes of the volume and its mask while they are read."""
    if isinstance(case.source, Stack):
        return slice_folders.memory(case.source)
    assert isinstance(case.source, nifti.Pair)
    return nifti.memory(case.source)


DATASET = Dataset(
    title="Liver Tumor Segmentation Benchmark (LiTS)",
    layout=LAYOUT,
    groups=groups,
    files=files,
    problems=problems,
    cases=cases,
    read=read,
    memory=memory,
)
