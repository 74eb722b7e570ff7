"""CT as single slices: a folder of images beside a folder of masks, with the same file names.

    images/volume-12_slice-034.npy     labels/volume-12_slice-034.npy
    images/liver_12_034.png            masks/liver_12_034.png

The folder of masks is called `label(s)`, `mask(s)` or `segmentation(s)`; that of images is the only
other one beside it with slices, or the one called `image(s)`. Such pairs may lie in several places,
as `train/` and `test/`. Names that carry a volume's number and a slice's make volumes of the
slices again, wherever they lie; names that carry none leave each slice a case of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.errors import BadData
from bench.spec import Case
from suite.ct import pixels
from suite.ct.pixels import Scale
from suite.ct.tree import Tree
from suite.ct.volume import Unreadable, Volume

SUFFIXES = (".npy", ".png")
MASKS = ("label", "labels", "mask", "masks", "segmentation", "segmentations")
IMAGES = ("image", "images")
NUMBERS = re.compile(r"([A-Za-z]*)[-_]?(\d+)[-_](?:(?:slice|s|z)[-_]?)?(\d+)")
"""A word, the volume's number, the slice's: `volume-12_slice-034`, `liver_12_034`, `12_34`."""

Read = TypeVar("Read")


@dataclass(frozen=True)
class Stack:
    """The files of a case: its slices in order, each with its mask."""

    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    scale: Scale
    """What all slices of the data set hold."""
    witness: str
    """Name of the slice that told so."""


@dataclass(frozen=True)
class _Slice:
    image: Path
    mask: Path
    volume: str
    """Empty where the name carries no numbers."""
    number: int


def files(tree: Tree) -> list[Path]:
    """All images and masks of slices."""
    return [
        folder / name
        for folders in _by_parent(tree).values()
        for folder in folders
        for name in _names(tree, folder)
    ]


def groups(tree: Tree) -> bool:
    """Whether the names tell which slices belong to one volume."""
    return all(_numbers(path) for path in files(tree))


def problems(tree: Tree) -> list[str]:
    """Images without a mask, masks without an image, duplicates, names that do not go together."""
    pairs, found = _pairs(tree)
    by_suffix = {path.suffix.lower(): path for path in files(tree)}
    if len(by_suffix) > 1:
        found.append(
            f"{' and '.join(map(str, by_suffix.values()))} lie in one data set: keep .npy and .png "
            "apart"
        )
        return found
    for images, masks in pairs:
        found += _unmatched(tree, images, masks)
    slices = list(_slices(tree))
    numbered = [item for item in slices if item.volume]
    if numbered:
        found += [
            f"{item.image}: its name tells no volume, that of {numbered[0].image.name} does: name "
            "all slices alike"
            for item in slices
            if not item.volume
        ]
    first: dict[tuple[str, int], Path] = {}
    for item in numbered:
        before = first.setdefault((item.volume, item.number), item.image)
        if before is not item.image:
            found.append(f"{before} and {item.image} are two slices of one number")
    return found


def cases(tree: Tree) -> list[Case]:
    """One case a volume, or one a slice where the names tell of no volumes.

    The first slices are read to see what they hold, HU or grey levels: all others must hold the
    same.
    """
    slices = list(_slices(tree))
    known = groups(tree)
    by_case: dict[str, dict[int, _Slice]] = defaultdict(dict)
    for item in slices:
        id = item.volume if known else _own_id(tree, item.image)
        by_case[id].setdefault(item.number if known else 0, item)
    scale, witness = _scale(item.image for item in slices)
    found = []
    for id in sorted(by_case, key=_naturally):
        ordered = [by_case[id][number] for number in sorted(by_case[id])]
        stack = Stack(
            tuple(item.image for item in ordered),
            tuple(item.mask for item in ordered),
            scale,
            witness,
        )
        found.append(Case(id=id, group=id, source=stack))
    return found


def memory(stack: Stack) -> int:
    """Bytes of a case's slices, twice: single, and one above the other. PNG files hold about a
    third of what they mean."""
    total = 0
    for path in (*stack.images, *stack.masks):
        try:
            total += path.stat().st_size * (6 if path.suffix == ".png" else 2)
        except OSError:  # What is wrong with it is said when it is read.
            return 0
    return total


def read(stack: Stack) -> Volume:
    """A case's slices, one above the other. Raises BadData with all that is wrong with them."""
    import numpy as np

    found: list[str] = []
    images: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    for image, mask in zip(stack.images, stack.masks, strict=True):
        both, classes = _attempt(pixels.image, image, found), _attempt(pixels.mask, mask, found)
        if both is not None and both[1] != stack.scale:
            found.append(
                f"{image}: holds {_words(both[1])}, {stack.witness} {_words(stack.scale)}: one "
                "data set holds one of them"
            )
        if both is None or classes is None:
            continue
        if classes.shape != both[0].shape:
            found.append(
                f"{mask}: the mask's shape {classes.shape} differs from its image's {both[0].shape}"
            )
        elif images and both[0].shape != images[0].shape:
            found.append(
                f"{image}: its shape {both[0].shape} differs from {images[0].shape}, that of "
                "others of its volume"
            )
        else:
            images.append(both[0])
            masks.append(classes)
    if found:
        raise BadData(*found)
    unknown = float("nan")
    return Volume(
        hu=np.stack(images),
        mask=np.stack(masks),
        spacing=(unknown, unknown, unknown),
        grey=stack.scale == "grey",
    )


# --- Names ----------------------------------------------------------------------------------


def _by_parent(tree: Tree) -> dict[Path, list[Path]]:
    """By parent, the folders with slices, where one of them is a folder of masks."""
    below: dict[Path, list[Path]] = defaultdict(list)
    for folder in sorted(tree.files):
        if folder != tree.root and _names(tree, folder):
            below[folder.parent].append(folder)
    return {
        parent: folders
        for parent, folders in below.items()
        if any(folder.name.lower() in MASKS for folder in folders)
    }


def _names(tree: Tree, folder: Path) -> list[str]:
    return [name for name in tree.files.get(folder, ()) if name.lower().endswith(SUFFIXES)]


def _pairs(tree: Tree) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Folders of images with their folders of masks; and what is wrong with the others."""
    pairs, mistakes = [], []
    for parent, folders in _by_parent(tree).items():
        masks = [folder for folder in folders if folder.name.lower() in MASKS]
        others = [folder for folder in folders if folder not in masks]
        images = [folder for folder in others if folder.name.lower() in IMAGES] or others
        if len(masks) == len(images) == 1:
            pairs.append((images[0], masks[0]))
        else:
            names = ", ".join(folder.name for folder in folders)
            mistakes.append(
                f"{parent}: slices lie in a folder of images and one of masks side by side, here "
                f"in {names}: which belong together is unclear"
            )
    return pairs, mistakes


def _by_stem(tree: Tree, folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for name in _names(tree, folder):
        found[Path(name).stem].append(folder / name)
    return found


def _unmatched(tree: Tree, images: Path, masks: Path) -> Iterator[str]:
    sides = _by_stem(tree, images), _by_stem(tree, masks)
    for (mine, others), other in ((sides, masks), (sides[::-1], images)):
        for stem, paths in mine.items():
            if stem not in others:
                yield f"{paths[0]}: its partner {other.name}/{paths[0].name} is missing"
            if len(paths) > 1:
                yield f"{' and '.join(map(str, paths))} are {len(paths)} files of one name"


def _slices(tree: Tree) -> Iterator[_Slice]:
    """Every image that has its one mask."""
    for images, masks in _pairs(tree)[0]:
        partners = _by_stem(tree, masks)
        for stem, paths in _by_stem(tree, images).items():
            if len(paths) == len(partners.get(stem, ())) == 1:
                volume, number = _numbers(paths[0]) or ("", 0)
                yield _Slice(paths[0], partners[stem][0], volume, number)


def _numbers(path: Path) -> tuple[str, int] | None:
    """The volume that a file's name tells, as a case's id, and the number of the slice."""
    match = NUMBERS.fullmatch(path.stem)
    return (f"{match[1] or 'volume'}-{int(match[2])}", int(match[3])) if match else None


def _own_id(tree: Tree, image: Path) -> str:
    """Of a slice that is a case: its name, after the folder that holds the pair of folders."""
    place = image.parent.parent.relative_to(tree.root)
    return (place / image.stem).as_posix()


def _naturally(id: str) -> list[tuple[bool, int, str]]:
    """A key that sorts numbers within names by their value."""
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part)
        for part in re.split(r"(\d+)", id)
    ]


# --- Content --------------------------------------------------------------------------------


def _attempt(reader: Callable[[Path], Read], path: Path, found: list[str]) -> Read | None:
    try:
        return reader(path)
    except Unreadable as error:
        found.append(f"{path}: {error}")
        return None


def _scale(images: Iterator[Path]) -> tuple[Scale, str]:
    """What the first readable slice holds, and its name."""
    for path in images:
        try:
            return pixels.image(path)[1], path.name
        except Unreadable:
            continue
    return "grey", ""


def _words(scale: Scale) -> str:
    return "HU" if scale == "hu" else "grey levels"
