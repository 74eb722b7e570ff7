"""A sequence classifier of transformers with the weights of a folder, all of it but the head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from bench.errors import UserError
from suite.nets.transformer import Transformer, finished, in_head, set_dropout

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""A folder's own files, and no program among them."""


def load(
    folder: Path,
    *,
    classes: int,
    vocabulary: int,
    max_tokens: int,
    drop_layers: int,
    dropouts: Mapping[str, float],
) -> Transformer:
    """The classifier of a folder in transformers' format without its top `drop_layers` layers.

    dropouts: by place (see `set_dropout`); the others are as the folder's configuration says. A
    head for other classes gives way to one with random weights; UserError where anything else is
    missing, and where the model does not suit the texts.
    """
    config = configuration(folder, classes=classes)
    if drop_layers:
        without_top(config, drop_layers)
    for place, rate in dropouts.items():
        set_dropout(config, place, rate)
    net, report = _loaded(folder, config)
    lacking = sorted(
        [key for key in report["missing_keys"] if not in_head(net, key)]
        + [key for key, *_ in report["mismatched_keys"] if not in_head(net, key)]
    )
    if lacking:
        others = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise UserError(
            f"pretrained weights fill all of a model but its head, {folder} has no fitting "
            f"{', '.join(lacking[:3])}{others}: take another checkpoint, or train from scratch "
            '(weights = "none")'
        )
    _check_room(net, folder, vocabulary=vocabulary, max_tokens=max_tokens)
    return finished(net)


def configuration(folder: Path, *, classes: int) -> Any:
    """The folder's configuration, for so many classes. UserError for a model that transformers does
    not know."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, num_labels=classes, **LOCAL)
    except (OSError, ValueError) as error:
        raise UserError(
            f"a model is described by a config.json that transformers knows, {folder}: "
            f"{_first_line(error)}"
        ) from error
    if config.pad_token_id is None:
        # Of models that were never padded: their end of a text, as is usual.
        end = config.eos_token_id
        config.pad_token_id = (end[0] if isinstance(end, list) else end) or 0
    return config


def without_top(config: Any, dropped: int) -> None:
    """Leaves out the top layers. UserError where none would be left."""
    layers = getattr(config, "num_hidden_layers", 0)
    if config.is_encoder_decoder or not layers:
        raise UserError(
            f"drop_layers needs a single stack of layers, got {dropped} for a "
            f"{config.model_type}: leave it at 0"
        )
    if dropped >= layers:
        raise UserError(
            f"drop_layers must be below the model's number of layers, got {dropped} of {layers}: "
            f"drop {layers - 1} at most"
        )
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: layers - dropped]
    config.num_hidden_layers = layers - dropped


def _loaded(folder: Path, config: Any) -> tuple[Any, dict[str, Any]]:
    """The classifier, and which tensors were missing or did not fit."""
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    try:
        with _quiet():
            return AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                weights_only=True,
                ignore_mismatched_sizes=True,  # which of them did not fit, we look at
                output_loading_info=True,
                **LOCAL,
            )
    except UnpicklingError as error:
        raise UserError(
            f"weights are tensors alone, the file in {folder} holds other objects, which could run "
            "a program: save it as safetensors"
        ) from error
    except (OSError, ValueError, RuntimeError, EOFError, SafetensorError) as error:
        raise UserError(
            f"weights are those of a sequence classifier that transformers can read, {folder}: "
            f"{_first_line(error)}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own report of what it loaded, and its progress bar."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _check_room(net: Any, folder: Path, *, vocabulary: int, max_tokens: int) -> None:
    """UserError where tokens have no vector, or long texts no places."""
    known = net.get_input_embeddings().num_embeddings
    if vocabulary > known:
        raise UserError(
            f"a tokenizer's ids lie below the number of its model's vectors, {folder} has "
            f"{vocabulary:,} tokens for {known:,} vectors: the two do not belong together"
        )
    places = getattr(net.config, "max_position_embeddings", None) or -1
    if places < 0:  # places are relative
        return
    table = getattr(getattr(net.base_model, "embeddings", None), "position_embeddings", None)
    before = getattr(table, "padding_idx", None)
    if before is not None:  # RoBERTa's, counted from the id of its padding
        places -= before + 1
    if places < max_tokens:
        raise UserError(
            f"texts have up to {max_tokens} tokens, {folder} has places for {places}: take a model "
            "of longer texts"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
