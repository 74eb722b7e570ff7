"""The stages of a model from input to output: what is frozen, and what learns more slowly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from bench.errors import UserError
from bench.spec import Config, Family, Scalar

Stages = list[list[str]]
"""Names of parameters, from input to output; the last stage is the head."""


def stages_of(family: Family, model: nn.Module) -> Stages:
    """The model's stages: each parameter is in exactly one, none is empty.

    They are the family's; without any, those that timm knows of its own models; else the model's
    parts in the order of their definition, what it holds itself before them.

    Raises UserError for a family whose stages leave a parameter out or name it twice.
    """
    if family.stages is not None:
        return _named(family, model, family.stages(model))
    if hasattr(model, "group_matcher") and hasattr(model, "get_classifier"):
        return _timm(model)
    return _parts(model)


def freeze(stages: Stages, model: nn.Module, how: Scalar) -> list[nn.Module]:
    """Take stages out of training: none ("none"), all but the head ("backbone"), the first n.

    Returns the norms among them that count running statistics: they are to stay in evaluation mode
    while the rest of the model trains. Raises UserError where nothing would be left to train.
    """
    count = {"none": 0, "backbone": len(stages) - 1}.get(str(how))
    count = int(how) if count is None else count
    if count >= len(stages) or (how == "backbone" and not count):
        raise UserError(
            f"freeze leaves one stage or more to train, got {how!r} of a model with "
            f"{len(stages)}: " + (f"take 1 to {len(stages) - 1}" if stages[1:] else 'take "none"')
        )
    frozen = {name for stage in stages[:count] for name in stage}
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return list(_still(model)) if frozen else []


def train_mode(model: nn.Module, still: Iterable[nn.Module]) -> None:
    """Training mode, but for the norms that `freeze` returned."""
    model.train()
    for module in still:
        module.eval()


def scales(stages: Stages, decay: float) -> dict[str, float]:
    """By parameter, the factor of its learning rate: 1 in the head, of each stage before it that
    of the next times `decay` (Clark et al. 2020; Bao et al. 2022)."""
    last = len(stages) - 1
    return {name: decay ** (last - depth) for depth, stage in enumerate(stages) for name in stage}


def wanted(config: Config) -> bool:
    """Whether a configuration asks for the model's stages at all."""
    return config.get("freeze", "none") != "none" or config.get("layer_decay", 1.0) != 1.0


def _still(model: nn.Module) -> Iterator[nn.Module]:
    """Norms with running statistics that lie in a part of which every parameter is frozen."""
    frozen_parts = [
        part
        for part in model.modules()
        if (parameters := list(part.parameters()))
        and not any(parameter.requires_grad for parameter in parameters)
    ]
    inside = {id(module): module for part in frozen_parts for module in part.modules()}
    for module in inside.values():
        if isinstance(module, _NormBase) and module.track_running_stats:
            yield module


def _named(family: Family, model: nn.Module, prefixes: Sequence[Sequence[str]]) -> Stages:
    stages: Stages = [[] for _ in prefixes]
    for name, _ in model.named_parameters():
        found = [
            depth
            for depth, stage in enumerate(prefixes)
            if any(f"{name}.".startswith(f"{prefix.rstrip('.')}.") for prefix in stage)
        ]
        if len(found) != 1:
            raise UserError(
                f"stages of the family {family.id} hold each parameter once, {name} is in "
                f"{len(found)} of {len(prefixes)}: mend its `stages`"
            )
        stages[found[0]].append(name)
    if not all(stages):
        raise UserError(
            f"stages of the family {family.id} hold a parameter each, that of "
            f"{', '.join(prefixes[stages.index([])]) or 'no prefix'} holds none: mend its `stages`"
        )
    return stages


def _timm(model: nn.Module) -> Stages:
    """timm's coarse groups; its classifier alone is the head."""
    from timm.models import group_parameters

    classifier = model.get_classifier()  # type: ignore[operator]
    heads = classifier if isinstance(classifier, tuple | list) else (classifier,)
    of_head = {id(parameter) for head in heads for parameter in head.parameters()}
    groups: dict[int, list[str]] = {}
    matcher = model.group_matcher(coarse=True)  # type: ignore[operator]
    for name, group in group_parameters(model, matcher, reverse=True).items():
        groups.setdefault(group, []).append(name)
    parameters = dict(model.named_parameters())
    stages: Stages = [[]]
    for group in sorted(groups):
        body = [name for name in groups[group] if id(parameters[name]) not in of_head]
        if any(parameters[name].ndim > 1 for name in body):
            stages.append(body)
        else:  # A last norm belongs to what it norms.
            stages[-1] += body
    head = [name for name, parameter in parameters.items() if id(parameter) in of_head]
    return [stage for stage in (*stages, head) if stage]


def _parts(model: nn.Module, prefix: str = "") -> Stages:
    """A stage for each part; a shell around one part is opened."""
    own = [prefix + name for name, _ in model.named_parameters(recurse=False)]
    seen = {id(parameter) for parameter in model.parameters(recurse=False)}
    parts: list[tuple[str, nn.Module, list[str]]] = []
    for name, child in model.named_children():
        inner = [
            (f"{prefix}{name}.{path}", id(parameter))
            for path, parameter in child.named_parameters()
            if id(parameter) not in seen
        ]
        seen |= {key for _, key in inner}
        if inner:
            parts.append((name, child, [path for path, _ in inner]))
    if len(parts) == 1 and not own and next(parts[0][1].children(), None) is not None:
        return _parts(parts[0][1], f"{prefix}{parts[0][0]}.")
    return [stage for stage in (own, *(names for *_, names in parts)) if stage]
