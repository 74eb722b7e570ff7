"""Augmentation of whole batches on the device, one draw for each image.

All draws are NumPy's, seeded by one number from the generator that is passed, on the CPU: a seed
gives the same on every device. Only the images that were drawn for a step go through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.data.augment import intensity, mixing, warp
from bench.errors import UserError
from bench.spec import Config, Kind, unknown

SETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "flips": (),
    "rotation": ("rotation",),
    "flips_rotation": ("rotation",),
    "perspective": ("perspective",),
    "affine": ("affine",),
    "flips_one_of": ("rotation", "perspective", "affine"),
}
"""By the value of the parameter `augmentation`: of which warps each image draws one. Those whose
names begin with `flips` flip left-right and up-down as well, each with probability 0.5."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What a configuration does to training images; the defaults do nothing."""

    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Per channel, of intensities in [0, 1]; of images of one channel there may be several."""
    geometry: str = "none"
    """One of SETS."""
    strength: float = 1.0
    """In (0, 1]: scales all angles, shifts and distortions, and how much `crop` may cut off."""
    gamma: bool = False
    """Raise intensities in [0, 1] to a power that is uniform in (0.5, 1.5)."""
    jitter: float = 0.0
    """In [0, 1]: how much brightness and contrast vary; with three channels, saturation and hue."""
    crop: bool = False
    """Blow up a part of the image to its full size."""
    erasing: float = 0.0
    """The probability that a rectangle is set to `mean`; masks keep what was there."""
    mixup: float = 0.0
    cutmix: float = 0.0
    """Alpha of the Beta distribution of the shares, 0 for no mixing; with both, half of the images
    each. With masks, cutmix pastes them alike, and mixup does not exist."""

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        kind: Kind,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> Augmentation | None:
        """What these parameters ask for; those that are absent ask for nothing.

        None where nothing is asked for, extra samples (`balance`) included, and for texts.
        Raises UserError for an unknown set, and for mixup of a segmentation.
        """
        if kind == "text_classification":
            return None
        found = cls(
            classes=classes,
            mean=tuple(mean),
            std=tuple(std),
            geometry=str(config.get("augmentation", "none")),
            strength=float(config.get("strength", 1.0)),
            gamma=bool(config.get("gamma", False)),
            jitter=float(config.get("jitter", 0.0)),
            crop=bool(config.get("crop", False)),
            erasing=float(config.get("erasing", 0.0)),
            mixup=float(config.get("mixup", 0.0)),
            cutmix=float(config.get("cutmix", 0.0)),
        )
        if found.geometry not in SETS:
            raise UserError(unknown("augmentation", found.geometry, SETS))
        if found.mixup and kind == "image_segmentation":
            raise UserError(
                f"mixup mixes the labels of whole images, a segmentation has masks, got mixup = "
                f"{found.mixup:g}: leave it at 0 or take cutmix"
            )
        balanced = config.get("balance", "none") != "none"
        return None if found.idle and not balanced else found

    @property
    def idle(self) -> bool:
        """Whether nothing happens but to extra samples."""
        return self.geometry == "none" and not (
            self.gamma or self.jitter or self.crop or self.erasing or self.mixup or self.cutmix
        )

    def __call__(
        self, images: Tensor, targets: Tensor, *, made: np.ndarray, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch: inputs float32, normalised, and the targets that they have now.

        images: uint8 (batch, channels, height, width), targets: int64 labels (batch,) or masks
        (batch, height, width), both on one device; masks may be overwritten. made: bool (batch,),
        extra samples: each is flipped, whatever the set, so that none is a mere copy.
        """
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        masks = targets if targets.dim() == 3 else None
        flips = warp.draw_flips(self.geometry.startswith("flips"), made, rng)
        inputs = intensity.adjust(
            warp.flip(images, flips),
            mean=self.mean,
            std=self.std,
            gamma=self.gamma,
            jitter=self.jitter,
            rng=rng,
        )
        matrices, moved = warp.draw_matrices(
            SETS[self.geometry],
            len(images),
            size=(images.shape[2], images.shape[3]),
            strength=self.strength,
            crop=self.crop,
            rng=rng,
        )
        inputs = warp.apply(inputs, matrices, moved)
        if masks is not None:
            targets = warp.apply_to_masks(warp.flip(masks, flips), matrices, moved)
        if self.erasing:
            mixing.erase(inputs, self.erasing, rng)
        if self.mixup or self.cutmix:
            return mixing.mix(
                inputs, targets, mixup=self.mixup, cutmix=self.cutmix, classes=self.classes, rng=rng
            )
        return inputs, targets
