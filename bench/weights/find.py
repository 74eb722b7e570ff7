"""What a configuration's `weights` means: a known name, a file, a folder, or a hub's repository."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError, WeightsMissing
from bench.options import NONE
from bench.spec import Weights, unknown
from bench.weights import folders, hub

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Per channel, of ImageNet's training images scaled to [0, 1]; what torchvision normalises by."""

_IMAGES = re.compile(r"[\w.-]+/[\w.-]+")
_TEXTS = re.compile(r"([\w.-]+/)?[\w.-]+")
"""Names of a hub's repositories: owner/name; of old text models the name alone."""
_PATHS = (*folders.SUFFIXES, "/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Url:
    """A file that torch.hub's cache keeps, as torchvision's and DINO's weights."""

    url: str
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """A repository of the hub."""

    repo: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Empty: as the repository's own files say."""
    filename: str | None = None
    """Of the weights, where it is none of the usual ones."""


Source = Url | Hub


def find_image_weights(name: str, *, named: Mapping[str, Source]) -> Weights | None:
    """The weights of this name on this machine, fetched where a hub can be reached; "none": None.

    named: what the family knows, by name. Otherwise a name is a file or folder where one lies
    there or the name looks like a path, or a repository of the hub, `owner/name`. Raises
    WeightsMissing where they cannot be had, UserError for a name that is none of these and for a
    folder that holds several weights files.
    """
    if name == NONE:
        return None
    if name in named:
        return _named(name, named[name])
    if (path := _local(name)) is not None:
        return _from_path(name, path)
    if _IMAGES.fullmatch(name):
        return _from_repository(name, Hub(repo=name))
    raise UserError(
        f'{unknown("weights", name, [NONE, *named])} Others are named "owner/name" on the hub, or '
        "by the path of a file or folder"
    )


def find_text_model(name: str) -> Weights | None:
    """A model in transformers' format: its path is a folder with configuration, weights, tokenizer.

    A name is a folder where one lies there or the name looks like a path, else a repository of the
    hub. Raises WeightsMissing where it cannot be had; of "none": None.
    """
    if name == NONE:
        return None
    if (path := _local(name)) is not None:
        if problem := folders.text_problem(path):
            raise WeightsMissing(name, [f"{path}, {problem}"])
        return Weights(name=name, path=path)
    if _TEXTS.fullmatch(name):
        return Weights(name=name, path=hub.snapshot(name, name, texts=True))
    raise UserError(
        f'weights are "{NONE}", a hub\'s name such as "owner/name", or the path of a folder in '
        f"transformers' format, got {name!r}"
    )


def _local(name: str) -> Path | None:
    """The path that a name means, if it means one, whether or not anything lies there."""
    try:
        path = Path(name).expanduser()
        there = bool(name) and path.exists()
    except (OSError, RuntimeError):  # a name too long for a file's, a home that there is not
        path, there = Path(name), False
    if there or name.startswith(("/", ".", "~")) or name.endswith(_PATHS):
        return path.absolute()
    return None


def _named(name: str, source: Source) -> Weights:
    if isinstance(source, Hub):
        return _from_repository(name, source)
    path = hub.download(name, source.url)
    return Weights(name=name, path=path, mean=source.mean, std=source.std)


def _from_repository(name: str, source: Hub) -> Weights:
    folder = hub.snapshot(name, source.repo, filename=source.filename)
    path = folder / source.filename if source.filename else folders.weights_file(folder)
    assert path is not None, "a snapshot holds its weights"
    if source.mean:
        return Weights(name=name, path=path, mean=source.mean, std=source.std)
    mean, std = folders.statistics(folder)
    return Weights(name=name, path=path, mean=mean, std=std)


def _from_path(name: str, path: Path) -> Weights:
    if path.is_dir():
        found = folders.weights_file(path)
        if found is None:
            raise WeightsMissing(name, [f"the folder {path}, which holds no weights file"])
    elif path.is_file():
        found = path
    else:
        raise WeightsMissing(name, [f"{path}, where nothing lies"])
    # A file of any name may lie beside another model's configuration.
    known = path.is_dir() or found.name in folders.USUAL
    mean, std = folders.statistics(found.parent) if known else ((), ())
    return Weights(name=name, path=found, mean=mean, std=std)
