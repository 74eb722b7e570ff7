"""What is done to training images: bench/data/augment says what each parameter does."""

from __future__ import annotations

from bench.spec import Choice, Float, Space

AUGMENTATION = Space(
    augmentation=Choice(
        "flips", "none", "rotation", "flips_rotation", "perspective", "affine", "flips_one_of"
    ),
    gamma=Choice(False, True),
    strength=Float(0.1, 1.0, default=1.0, held=True),
    crop=Choice(False, True, held=True),
    jitter=Float(0.0, 1.0, default=0.0, held=True),
    erasing=Float(0.0, 0.5, default=0.0, limits=(0.0, 1.0), held=True),
)
"""Of images, and of masks with them. Those that are held can be freed one by one in a suite."""

MIXING = Space(
    mixup=Float(0.0, 1.0, default=0.0, held=True),
    cutmix=Float(0.0, 1.0, default=0.0, held=True),
)
"""Of two images and their labels; masks know `cutmix` alone."""
