"""Segmenters of libraries that take images of some sizes and channels only, made to take any."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Padded(nn.Module):
    """A net on images that are continued to sizes it can take; its logits are cut back.

    At the right and the bottom the last column and row go on. Images of one channel are shown in
    all channels of a net that has more.
    """

    def __init__(self, net: nn.Module, *, multiple: int, channels: int) -> None:
        """multiple: of which the height and width of the net's images are; channels: theirs."""
        super().__init__()
        self.net, self.multiple, self.channels = net, multiple, channels

    def forward(self, images: Tensor) -> Tensor:
        """images: float (batch, channels, height, width), of any size; logits (batch, classes,
        height, width)."""
        height, width = images.shape[2:]
        missing = (0, -width % self.multiple, 0, -height % self.multiple)
        if any(missing):
            images = functional.pad(images, missing, mode="replicate")
        logits: Tensor = self.net(images.expand(-1, self.channels, -1, -1))
        return logits[:, :, :height, :width]
