"""How a model that begins from scratch is initialised."""

from __future__ import annotations

import math

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from bench.errors import UserError
from bench.spec import unknown

WAYS = ("default", "he_normal")


def initialise(model: nn.Module, how: str) -> None:
    """Draw the model's parameters anew, from torch's global generator.

    "default": as they are, the library's. "he_normal": weights of convolutions and linear layers
    from a normal distribution of variance 2 / fan-in, their biases 0 (He et al. 2015, eq. 10);
    norms, tables of vectors and what is not trained stay as they are.
    """
    if how not in WAYS:
        raise UserError(unknown("initialisation", how, WAYS))
    if how == "default":
        return
    for module in model.modules():
        if isinstance(module, _ConvNd | nn.Linear) and module.weight.requires_grad:
            _he_normal(module)


def _he_normal(layer: _ConvNd | nn.Linear) -> None:
    if isinstance(layer, _ConvTransposeNd):
        # Of a transposed convolution torch's fan-in is its fan-out: as many inputs reach an output.
        reach = math.prod(layer.kernel_size) / math.prod(layer.stride)
        nn.init.normal_(layer.weight, std=math.sqrt(2 / (layer.in_channels / layer.groups * reach)))
    else:
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
