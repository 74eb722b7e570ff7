"""Which image sizes a net can take: the rule, the size, and the next one that works."""

from __future__ import annotations

from bench.errors import UserError
from bench.spec import Shape


def require_size(net: str, shape: Shape, *, at_least: int, why: str) -> None:
    """Raises UserError where an image is lower or narrower than `at_least` pixels."""
    if min(shape.height, shape.width) < at_least:
        raise UserError(
            f"{net} needs images of at least {at_least}x{at_least} pixels, {why}, got "
            f"{shape.height}x{shape.width}: {remedy(at_least)}"
        )


def require_multiple(net: str, shape: Shape, *, of: int, why: str) -> None:
    """Raises UserError where height or width is no multiple of `of` pixels."""
    if shape.height % of or shape.width % of:
        raise UserError(
            f"{net} needs images whose height and width are multiples of {why} {of}, got "
            f"{shape.height}x{shape.width}: {remedy(-(-max(shape.height, shape.width) // of) * of)}"
        )


def remedy(size: int) -> str:
    """What to do where a size does not work and a larger one does."""
    return f"the next size that works is {size}, the task's image_size = {size}"
