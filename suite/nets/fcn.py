"""torchvision's FCN and DeepLabV3 with one output: logits in the place of a table of them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torchvision import models


class FCN(nn.Module):
    """A dilated ResNet, a head on its last map, and bilinear interpolation to the image's size.

    Parameters have torchvision's names. Sources: Long et al. 2015; Chen et al. 2017.
    """

    def __init__(self, *, architecture: str, channels: int, classes: int) -> None:
        """architecture: a function of torchvision.models.segmentation whose backbone is a ResNet.
        Images of other than three channels get a first convolution of their own."""
        super().__init__()
        build = getattr(models.segmentation, architecture)
        model = build(weights=None, weights_backbone=None, num_classes=classes, aux_loss=False)
        self.backbone, self.classifier = model.backbone, model.classifier
        if channels != 3:
            first = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
            self.backbone.conv1 = first

    def forward(self, images: Tensor) -> Tensor:
        """images: float (batch, channels, height, width), of any size; logits (batch, classes,
        height, width)."""
        coarse = self.classifier(self.backbone(images)["out"])
        return functional.interpolate(
            coarse, size=images.shape[2:], mode="bilinear", align_corners=False
        )
