"""segmentation-models-pytorch: six decoders, each on any timm encoder that has a pyramid of maps.

U-Net, U-Net++ (Zhou et al. 2018), FPN (Lin et al. 2017), DeepLabV3+ (Chen et al. 2018), SegFormer
(Xie et al. 2021) and UPerNet (Xiao et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.errors import UserError
from bench.options import WEIGHTS
from bench.spec import Choice, Config, Family, Float, Shape, Space, Text, Weights, unknown

CLASSES = {
    "unet": "Unet",
    "unetplusplus": "UnetPlusPlus",
    "fpn": "FPN",
    "deeplabv3plus": "DeepLabV3Plus",
    "segformer": "Segformer",
    "upernet": "UPerNet",
}
DROPOUTS = {"fpn": "decoder_dropout", "deeplabv3plus": "decoder_aspp_dropout"}
"""The library's names for the dropout of the decoders that have one."""
STRIDE = 32
"""Of an encoder's last map: images are continued to multiples of it."""
MIT = tuple(f"mit_b{size}" for size in range(6))
"""SegFormer's own encoders, which timm does not have: the library's, for three channels."""
MIT_DROP_PATH = 0.1
"""What the library builds them with."""


def build(config: Config, shape: Shape) -> Any:
    """The architecture on the encoder, for images of any size.

    Weights fill the encoder or, where a file holds a whole model of the library, all but its last
    layer. Raises UserError for an encoder that there is not (with the nearest name), that the
    architecture cannot take, or that has no drop path where one is asked for.
    """
    from suite.nets.padded import Padded

    encoder = _encoder(config)
    channels = 3 if encoder in MIT else shape.channels
    model = Padded(_net(config, shape, channels), multiple=STRIDE, channels=channels)
    _set_drop_path(model.net.encoder, encoder, float(config["drop_path"]))
    found = weights(config)
    if found is not None:
        _fill(model.net, encoder, found, shape)
    return model


def _net(config: Config, shape: Shape, channels: int) -> Any:
    import segmentation_models_pytorch as library

    architecture, encoder = str(config["architecture"]), _encoder(config)
    extra: dict[str, Any] = {} if encoder in MIT else _sized(encoder, shape)
    if config["drop_path"] and encoder not in MIT:
        extra["drop_path_rate"] = float(config["drop_path"])
    if architecture in DROPOUTS:
        extra[DROPOUTS[architecture]] = float(config["decoder_dropout"])
    try:
        return getattr(library, CLASSES[architecture])(
            encoder_name=encoder if encoder in MIT else f"tu-{encoder}",
            encoder_weights=None,  # the library would fetch them without asking the caches
            in_channels=channels,
            classes=shape.classes,
            **extra,
        )
    except (ValueError, TypeError, AssertionError, RuntimeError) as error:
        if "drop_path" in str(error):
            raise _no_drop_path(encoder, config["drop_path"]) from None
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UserError(
            f"{architecture} needs an encoder with a pyramid of maps that it can use, got "
            f"{encoder} ({reason}): take another, such as resnet18 or convnext_tiny"
        ) from None


def _encoder(config: Config) -> str:
    """The encoder's name in timm, or of MIT. Raises UserError where there is none of that name."""
    import timm

    name = str(config["encoder"]).removeprefix("tu-")
    if name in MIT:
        return name
    if not timm.is_model(name):
        raise UserError(unknown("encoder", name, [*timm.list_models(), *MIT]))
    model, _, tag = name.partition(".")
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{model}.*")]
    if tag and tag not in tags:
        raise UserError(f"{unknown('tag', tag, tags)} The encoder is {model}")
    return name


def _sized(encoder: str, shape: Shape) -> dict[str, Any]:
    """The image size as an argument of encoders that are built for one, such as Swin."""
    import timm

    if not timm.get_pretrained_cfg(encoder).fixed_input_size:
        return {}
    return {"img_size": tuple(-(-size // STRIDE) * STRIDE for size in (shape.height, shape.width))}


def _set_drop_path(encoder: Any, name: str, rate: float) -> None:
    """Raises UserError where a rate is asked for and nothing in the encoder drops its path."""
    paths = [module for module in encoder.modules() if type(module).__name__ == "DropPath"]
    if rate and not paths:
        raise _no_drop_path(name, rate)
    if name in MIT:  # it takes no argument for it
        for path in paths:
            path.drop_prob *= rate / MIT_DROP_PATH


def _no_drop_path(encoder: str, rate: object) -> UserError:
    return UserError(f"the encoder {encoder} has no drop path, got drop_path = {rate}: set it to 0")


# --- Weights --------------------------------------------------------------------------------


def weights(config: Config) -> Weights | None:
    """`imagenet`: of the encoder, those that timm has by default or by the tag in its name."""
    import timm

    from bench.weights import IMAGENET_MEAN, IMAGENET_STD, Hub, Source, Url, find_image_weights

    encoder, named = _encoder(config), dict[str, Source]()
    if encoder in MIT:
        repo = f"smp-hub/{encoder}.imagenet"
        named["imagenet"] = Hub(repo=repo, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    else:
        known = timm.get_pretrained_cfg(encoder)
        normal = {"mean": tuple(known.mean), "std": tuple(known.std)}
        if known.hf_hub_id:
            file = known.hf_hub_filename
            named["imagenet"] = Hub(repo=known.hf_hub_id, filename=file, **normal)
        elif known.url:
            named["imagenet"] = Url(url=known.url, **normal)
    return find_image_weights(str(config["weights"]), named=named)


def _fill(net: Any, encoder: str, found: Weights, shape: Shape) -> None:
    """Load a whole model's weights, or an encoder's."""
    from torch import nn

    from bench.weights import fill, read

    if any(name.startswith("segmentation_head.") for name in read(found.path)):
        fill(net, found.path, head=("segmentation_head",))
    elif encoder in MIT:
        # By its parts: the library's own load_state_dict of these takes no arguments.
        fill(nn.ModuleDict(net.encoder.named_children()), found.path, head=("head",))
    else:
        _fill_from_timm(net.encoder.model, encoder, found, _sized(encoder, shape))


def _fill_from_timm(pyramid: Any, encoder: str, found: Weights, sized: dict[str, Any]) -> None:
    """Load a classifier's weights into a timm model that has lost its head.

    The file must fill the classifier as it was published; from there timm takes it to another
    image size, and to the names that its pyramids have.
    """
    import timm

    from bench.weights import fill

    head = timm.get_pretrained_cfg(encoder).classifier or ()
    whole = timm.create_model(encoder, pretrained=False)
    fill(whole, found.path, head=(head,) if isinstance(head, str) else tuple(head))
    loaded = timm.create_model(
        encoder,
        pretrained=True,
        features_only=True,
        out_indices=tuple(pyramid.feature_info.out_indices),
        pretrained_cfg_overlay={"state_dict": whole.state_dict()},
        **sized,
    )
    pyramid.load_state_dict(loaded.state_dict())


# --- Stages ---------------------------------------------------------------------------------


def stages(model: Any) -> Sequence[Sequence[str]]:
    """The encoder's stages, each up to the map that it hands to the decoder; then the decoder with
    the layer that names the classes."""
    encoder = model.net.encoder
    if hasattr(encoder, "model"):
        found = [[f"net.encoder.model.{name}" for name in stage] for stage in _cut(encoder.model)]
    else:  # its parts are called patch_embed1 to norm4
        found = [
            [f"net.encoder.{name}" for name, _ in encoder.named_children() if name.endswith(end)]
            for end in "1234"
        ]
    return [*found, ["net.decoder", "net.segmentation_head"]]


def _cut(pyramid: Any) -> list[list[str]]:
    """The parts of a timm pyramid by the maps that they lead to; one stage where that is unclear.

    Parts have the names of the modules that end in a map, with dots or underscores.
    """
    ends = {name.replace(".", "_") for name in pyramid.feature_info.module_name()}
    found: list[list[str]] = [[]]
    for name, part in _parts(pyramid, ends):
        found[-1] += [name] if any(True for _ in part.parameters()) else []
        if name.replace(".", "_") in ends and found[-1]:
            found.append([])
    rest = found.pop()
    if not found:
        return [rest]
    found[-1] += rest
    return found


def _parts(pyramid: Any, ends: set[str]) -> Iterator[tuple[str, Any]]:
    """The parts by name, in order; of a list in the midst of which maps end, its elements."""
    for name, part in pyramid.named_children():
        inner = [(f"{name}.{below}", element) for below, element in part.named_children()]
        if any(below.replace(".", "_") in ends for below, _ in inner):
            yield from inner
        else:
            yield name, part


FAMILY = Family(
    title="Segmenters on timm encoders",
    kinds=frozenset({"image_segmentation"}),
    space="segmentation",
    build=build,
    architectures=tuple(CLASSES),
    options=Space(
        architecture=Choice(*CLASSES, held=True),
        encoder=Text("resnet18"),
        decoder_dropout=Float(
            0.0,
            0.5,
            default=0.2,
            limits=(0.0, 0.9),
            held=True,
            when={"architecture": tuple(DROPOUTS)},
        ),
        drop_path=Float(0.0, 0.5, default=0.0, limits=(0.0, 0.9), held=True),
    )
    | WEIGHTS,
    weights=weights,
    stages=stages,
)
"""`encoder`: a timm model's name, with or without a tag or the library's prefix "tu-", or mit_b0 to
mit_b5."""
