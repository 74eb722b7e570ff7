"""Pretrained text models: what transformers itself makes of a folder, we make of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.data import pretrained
from bench.errors import UserError, WeightsMissing
from bench.spec import Shape
from bench.train.trial import run_trial
from tests.families.builds import FAMILIES, batch, configure
from tests.families.checkpoints import KINDS, PLACES, TEXTS, make_tokenizer, save, write
from tests.train.synthetic import make_task, write_texts

HF = FAMILIES["hf"]
assert HF.stages is not None and HF.weights is not None
stages, weights = HF.stages, HF.weights


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """By kind, a folder with a tiny model of it."""
    base = tmp_path_factory.mktemp("models")
    return lru_cache(lambda kind: write(base / kind, kind))


def shape_for(folder: Path, classes: int = 4) -> Shape:
    vocabulary = pretrained.tokenizer(folder).vocabulary
    return Shape(kind="text_classification", classes=classes, vocabulary=vocabulary, max_tokens=128)


def built(folder: Path, *, classes: int = 4, **settings: Any) -> Any:
    return HF.build(
        configure("hf", {"weights": str(folder), **settings}), shape_for(folder, classes)
    )


def padded(folder: Path, texts: Sequence[str]) -> torch.Tensor:
    """Texts as bench.data gives them."""
    rows = [torch.from_numpy(row) for row in pretrained.tokenizer(folder).encode(list(texts))]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def theirs(folder: Path, texts: Sequence[str]) -> torch.Tensor:
    """The logits by transformers alone."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
    inputs = tokenizer(
        list(texts),
        padding=True,
        truncation=True,
        max_length=128,
        return_token_type_ids=True if model.config.model_type == "xlnet" else None,
        return_tensors="pt",
    )
    with torch.inference_mode():
        return model(**inputs).logits


@pytest.mark.parametrize("kind", [*KINDS, "gpt2"])
def test_logits_are_those_of_transformers(kind: str, folders: Any) -> None:
    folder = folders(kind)
    texts = [text for text in TEXTS if text or kind != "gpt2"]  # its empty texts have no token
    expected = theirs(folder, texts)
    assert expected.std(dim=0).min() > 0.01, "the texts differ"
    model = built(folder).eval()
    with torch.inference_mode():
        together = model(padded(folder, texts))
        alone = torch.cat([model(padded(folder, [text])) for text in texts])
    torch.testing.assert_close(together, expected, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(alone, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", [*KINDS, "gpt2"])
def test_the_top_layers_can_be_dropped(kind: str, folders: Any) -> None:
    folder = folders(kind)
    whole = {name: tensor.clone() for name, tensor in built(folder).state_dict().items()}
    slim = built(folder, drop_layers=2)
    assert len(stages(slim)) == 3 and len(stages(built(folder))) == 5
    assert all(torch.equal(tensor, whole[name]) for name, tensor in slim.state_dict().items())
    assert slim(padded(folder, TEXTS[:2])).shape == (2, 4)
    with pytest.raises(UserError, match="below the model's number of layers, got 3 of 3"):
        built(folder, drop_layers=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_for_other_classes_is_replaced_and_nothing_else(kind: str, folders: Any) -> None:
    folder = folders(kind)

    def tensors(classes: int, seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return dict(built(folder, classes=classes).state_dict())

    whole, other, again, third = tensors(4, 0), tensors(3, 0), tensors(3, 0), tensors(3, 1)
    fresh = [name for name in whole if other[name].shape != whole[name].shape]
    assert len(fresh) == 2 and all(torch.equal(other[name], again[name]) for name in whole)
    assert not all(torch.equal(other[name], third[name]) for name in fresh)
    assert all(torch.equal(other[name], whole[name]) for name in whole if name not in fresh)


def altered(source: Path, target: Path, change: Any, file: str = "model.safetensors") -> Path:
    """A copy of a folder with other tensors."""
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    tensors = load_file(source / "model.safetensors")
    (target / "model.safetensors").unlink()
    changed = change(tensors)
    if file.endswith(".bin"):
        torch.save(changed, target / file)
    else:
        save_file(changed, target / file, metadata={"format": "pt"})
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_that_lacks_tensors_is_refused(
    kind: str, folders: Any, tmp_path: Path
) -> None:
    keys = [key for key in load_file(folders(kind) / "model.safetensors") if "layer.1." in key]
    gone = altered(folders(kind), tmp_path / "gone", lambda all: {
        key: tensor for key, tensor in all.items() if key != keys[0]
    })  # fmt: skip
    with pytest.raises(UserError, match=f"fill all of a model but its head, .* {keys[0]}: take"):
        built(gone)
    cut = altered(folders(kind), tmp_path / "cut", lambda all: {
        key: tensor[:1].clone() if key == keys[-1] else tensor for key, tensor in all.items()
    })  # fmt: skip
    with pytest.raises(UserError, match=f"has no fitting {keys[-1]}"):
        built(cut)


def test_a_checkpoint_of_another_kind_of_model_is_refused(folders: Any, tmp_path: Path) -> None:
    other = altered(folders("bert"), tmp_path / "other", lambda _: {"a.weight": torch.ones(1)})
    with pytest.raises(UserError, match=r"bert\.embeddings.* and \d+ more: take another"):
        built(other)


def test_heads_and_poolers_of_other_tasks_are_left_aside(folders: Any, tmp_path: Path) -> None:
    """Of BERT as it is published: without a classifier, with the head it was pretrained by."""

    def published(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        kept = {key: tensor for key, tensor in tensors.items() if "pooler" not in key}
        kept["cls.predictions.bias"] = torch.ones(3)
        return {key: tensor for key, tensor in kept.items() if not key.startswith("classifier")}

    folder = altered(folders("bert"), tmp_path / "published", published)
    torch.manual_seed(0)
    found = built(folder).state_dict()
    for name, tensor in built(folders("bert")).state_dict().items():
        new = "pooler" in name or "classifier" in name
        assert torch.equal(found[name], tensor) != new, name


def test_a_file_of_tensors_will_do_and_a_program_will_not(folders: Any, tmp_path: Path) -> None:
    folder, tokens = folders("bert"), padded(folders("bert"), TEXTS)
    name = "pytorch_model.bin"
    tensors = altered(folder, tmp_path / "tensors", lambda all: all, name)
    assert torch.equal(built(tensors).eval()(tokens), built(folder).eval()(tokens))

    class Program:
        def __reduce__(self) -> Any:
            return (Path.write_text, (tmp_path / "ran", "x"))

    program = altered(folder, tmp_path / "program", lambda all: all | {"x": Program()}, name)
    with pytest.raises(UserError, match="the file in .* holds other objects"):
        built(program)
    assert not (tmp_path / "ran").exists()
    for broken in ("pytorch_model.bin", "model.safetensors"):
        half = altered(folder, tmp_path / f"half-{broken}", lambda all: all, broken)
        (half / broken).write_bytes((half / broken).read_bytes()[:1000])
        with pytest.raises(UserError, match="that transformers can read, .*half"):
            built(half)


def test_half_precision_is_trained_in_full(folders: Any, tmp_path: Path) -> None:
    def halved(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {key: tensor.half() for key, tensor in tensors.items()}

    folder = altered(folders("roberta"), tmp_path / "half", halved)
    about = json.loads((folder / "config.json").read_text()) | {"dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(about))
    assert {parameter.dtype for parameter in built(folder).parameters()} == {torch.float32}


NAMES = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"),
    *("dropout", "attention_dropout", "seq_classif_dropout", "summary_last_dropout"),
)


def test_dropouts_are_the_folders_unless_they_are_set(folders: Any) -> None:
    def rates(kind: str, **settings: Any) -> list[float]:
        model = built(folders(kind), **settings)
        config = model.net.config.to_dict()
        return [config[name] for name in NAMES if name in config]

    assert rates("bert") == [0.1, 0.1, None]
    every: dict[str, object] = {
        "hidden_dropout": 0.0,
        "attention_dropout": 0.2,
        "head_dropout": 0.5,
    }
    assert rates("bert", **every) == rates("roberta", **every) == [0.0, 0.2, 0.5]
    assert rates("distilbert") == [0.1, 0.1, 0.2]
    assert rates("distilbert", **every) == [0.0, 0.2, 0.5]
    assert rates("xlnet", hidden_dropout=0.3, head_dropout=0.5) == [0.3, 0.5]
    with pytest.raises(UserError, match="a xlnet has no attention dropout of its own, got 0.2"):
        rates("xlnet", attention_dropout=0.2)
    with pytest.raises(UserError, match="a gpt2 has no head dropout"):
        rates("gpt2", head_dropout=0.5)


def test_a_tokenizer_and_a_model_must_belong_together(folders: Any, tmp_path: Path) -> None:
    folder = altered(folders("bert"), tmp_path / "more", lambda all: all)
    tokenizer = make_tokenizer("bert")
    tokenizer.add_tokens(["another"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match="has 21 tokens for 20 vectors"):
        built(folder)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_model_of_shorter_texts_is_refused(kind: str, folders: Any) -> None:
    """RoBERTa's places are counted from its padding's id, 1."""
    limit = PLACES - 2 * (kind == "roberta")
    config = configure("hf", {"weights": str(folders(kind))})
    for longest, fits in ((limit, True), (limit + 1, False)):
        shape = Shape(kind="text_classification", classes=4, vocabulary=20, max_tokens=longest)
        if fits:
            assert HF.build(config, shape)(torch.full((1, limit), 7)).isfinite().all()
        else:
            with pytest.raises(UserError, match=f"has places for {limit}"):
                HF.build(config, shape)


def test_folders_without_a_model_are_refused(folders: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        weights(configure("hf", {"weights": str(tmp_path / "none")}))
    folder = altered(folders("bert"), tmp_path / "strange", lambda all: all)
    (folder / "config.json").write_text(json.dumps({"model_type": "strange"}))
    with pytest.raises(UserError, match="a config.json that transformers knows"):
        built(folder)


@pytest.mark.parametrize("kind", [*KINDS, "gpt2"])
def test_stages_hold_every_parameter_once(kind: str, folders: Any) -> None:
    model = built(folders(kind))
    found = stages(model)
    for name, _ in model.named_parameters():
        holders = [
            number
            for number, prefixes in enumerate(found)
            if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
        ]
        assert len(holders) == 1, name
        assert (holders == [0]) == any(
            part in name
            for part in (".embeddings.", ".word_embedding.", "mask_emb", ".wte", ".wpe")
        ), name
    model(padded(folders(kind), TEXTS)).logsumexp(dim=1).sum().backward()
    lost = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert lost == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_architecture_is_built_from_its_sizes(kind: str) -> None:
    shape = Shape(kind="text_classification", classes=4, vocabulary=500, max_tokens=16)
    settings = {"architecture": kind, "hidden_size": 128, "layers": 2, "dropout": 0.3}
    torch.manual_seed(0)
    model = HF.build(configure("hf", settings), shape).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5)
    assert model.net.config.model_type == kind and len(stages(model)) == 4
    assert model.net.config._attn_implementation == ("eager" if kind == "xlnet" else "sdpa")
    rows = torch.randint(5, 500, (3, 16), generator=torch.Generator().manual_seed(0))
    rows[0, 7:], rows[2] = -1, -1
    with torch.inference_mode():
        together = model(rows.int())
        torch.testing.assert_close(model(rows[:1, :7]), together[:1], atol=1e-3, rtol=1e-3)
        assert not torch.allclose(model(rows[:1, :7].flip(1)), together[:1], atol=1e-2)
    assert together.isfinite().all()
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} >= {0.3}


def test_bert_of_a_hidden_size_has_four_times_the_width() -> None:
    shape = Shape(kind="text_classification", classes=2, vocabulary=100, max_tokens=9)
    for kind in KINDS:
        settings = {"architecture": kind, "hidden_size": 128, "layers": 1}
        model = HF.build(configure("hf", settings), shape)
        assert max(p.shape[0] for n, p in model.named_parameters() if "layer.0." in n) == 512
        assert model(batch(shape)).shape == (4, 2)


def test_a_trial_trains_it_on_its_own_tokens(folders: Any, tmp_path: Path) -> None:
    data = write_texts(tmp_path / "texts", train=32, validation=12)
    reports = run_trial(
        task=make_task("text_classification"),
        family=HF,
        data=data,
        settings={"weights": str(folders("roberta")), "drop_layers": 1, "freeze": "backbone"},
        epochs=1,
        device="cpu",
    )
    (report,) = list(reports)
    assert report.metrics["train_loss"] > 0 and report.score is not None
    (tokens,) = (data.root / "train").glob("tokens-pretrained-*/tokens.npy")
    assert np.load(tokens).max() < 75


def test_fine_tuning_keeps_what_it_began_with(folders: Any, tmp_path: Path) -> None:
    """Trained, saved by transformers and named as weights, it is the same model."""
    model = built(folders("distilbert"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    save(model.net, tmp_path / "tuned")
    make_tokenizer("distilbert").save_pretrained(tmp_path / "tuned")
    tokens = padded(tmp_path / "tuned", TEXTS)
    assert torch.equal(built(tmp_path / "tuned").eval()(tokens), model.eval()(tokens))
