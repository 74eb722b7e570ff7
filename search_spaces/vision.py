"""How an image model is trained: what fits ResNets, ConvMixers and plain networks from scratch."""

from __future__ import annotations

from search_spaces.parts.augmentation import AUGMENTATION, MIXING
from search_spaces.parts.classification import CLASSIFICATION
from search_spaces.parts.optimisation import OPTIMISATION

SPACE = OPTIMISATION | CLASSIFICATION | AUGMENTATION | MIXING
