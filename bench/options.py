"""Parameters that many families share: blocks of a family's `options`.

`bench/train` gives them their meaning: a family that has one of them need not read it, but for
`weights`, which its `weights` and `build` turn into a model that begins with them.
"""

from __future__ import annotations

from bench.spec import Choice, Float, Not, Space, Text

NONE = "none"
"""The value of `weights` that begins from scratch."""
_PRETRAINED = {"weights": Not(NONE)}

SCRATCH = Space(initialisation=Choice("default", "he_normal", held=True))
"""`initialisation`: as the library or the net does it, or all convolutions and linear layers drawn
from He's normal distribution (He et al. 2015), biases 0."""

WEIGHTS = Space(
    weights=Text(NONE),
    initialisation=Choice("default", "he_normal", held=True, when={"weights": NONE}),
    normalisation=Choice("weights", "imagenet", "data", held=True, when=_PRETRAINED),
    freeze=Choice(NONE, "backbone", held=True, also=tuple(range(1, 13)), when=_PRETRAINED),
    layer_decay=Float(0.5, 1.0, default=1.0, held=True, when=_PRETRAINED),
)
"""`weights`: "none", a name that the family knows ("imagenet"), a hub's name, a folder or a file.
`normalisation`: of the input images, as the weights' publishers did it, ImageNet's, or by the
training images' own mean and deviation. `freeze`: what is not trained: nothing, all but the head,
or the first n stages. `layer_decay`: each stage's learning rate is that of the next times this.
"""

TEXT_WEIGHTS = WEIGHTS.without("normalisation")
"""The same for texts: their tokenizer comes with the weights."""
