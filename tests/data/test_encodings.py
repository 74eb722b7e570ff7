"""Tokens: what they are, that every process makes the same, and when they are made."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.data import encodings
from bench.data.encodings import MAX_TOKENS, SPECIAL
from bench.data.prepared import PreparedTask
from bench.data.words import encode
from bench.errors import UserError
from tests.families.checkpoints import TEXTS, make_tokenizer
from tests.train.synthetic import save_texts, write_texts

PAD, UNK, CLS, SEP = range(4)


@pytest.fixture
def texts(tmp_path: Path) -> PreparedTask:
    return write_texts(tmp_path / "texts")


def rewrite(data: PreparedTask, split: str, texts: list[str]) -> PreparedTask:
    """The data with other texts at the beginning of a split."""
    opened = data.open(split)  # type: ignore[arg-type]
    rest = [opened.text(row) for row in range(len(texts), len(opened))]
    save_texts(data.root / split, [*texts, *rest])
    return data


def listed(data: PreparedTask, split: str, tokenizer: str) -> list[list[int]]:
    tokens, offsets = encodings.tokens(data, split, tokenizer)  # type: ignore[arg-type]
    assert tokens.dtype == np.int32 and offsets.dtype == np.int64
    assert offsets[0] == 0 and offsets[-1] == len(tokens)
    return [tokens[a:b].tolist() for a, b in zip(offsets, offsets[1:], strict=False)]


def pieces(data: PreparedTask, tokenizer: str) -> list[str]:
    kept = json.loads((data.root / f"tokenizer-{tokenizer}.json").read_text())
    return list(kept["pieces"])


def test_words_are_hashed_words(texts: PreparedTask) -> None:
    rewrite(texts, "train", ["Stocks fell 9.1%", "", "word " * 300])
    opened = texts.open("train")
    found = listed(texts, "train", "words")
    assert found == [encode(opened.text(row)).tolist() for row in range(len(opened))]
    assert len(found[1]) == 1 and len(found[2]) == MAX_TOKENS
    assert encodings.vocabulary(texts, "words") == 0


def test_word_pieces_frame_cut_and_never_end_up_empty(texts: PreparedTask) -> None:
    train = [texts.open("train").text(row) for row in range(97)]
    rewrite(texts, "validation", ["", f"{train[3].upper()} ☃", "vabc " * 200])
    found = listed(texts, "validation", "wordpiece-300")
    assert found[0] == [CLS, SEP]
    assert found[1][:-2] == listed(texts, "train", "wordpiece-300")[3][:-1], "case does not matter"
    assert found[1][-2:] == [UNK, SEP], "no such letter in training"
    assert len(found[2]) == MAX_TOKENS and found[2][-1] == SEP
    vocabulary = encodings.vocabulary(texts, "wordpiece-300")
    assert vocabulary <= 300 and max(map(max, found)) < vocabulary
    assert pieces(texts, "wordpiece-300")[:5] == list(SPECIAL)
    assert len(pieces(texts, "wordpiece-300")) == vocabulary
    assert encodings.vocabulary(texts, "wordpiece-100") == 100


def test_a_text_can_be_put_together_again(texts: PreparedTask) -> None:
    found = listed(texts, "train", "wordpiece-400")
    names = pieces(texts, "wordpiece-400")
    for row, ids in enumerate(found):
        joined = " ".join(names[id] for id in ids[1:-1]).replace(" ##", "")
        assert joined == texts.open("train").text(row)


def test_pieces_are_learnt_from_the_training_texts_alone(tmp_path: Path) -> None:
    plain = write_texts(tmp_path / "plain")
    other = rewrite(write_texts(tmp_path / "other"), "validation", ["zebra " * 40] * 45)
    rewrite(other, "test", ["quagga " * 40] * 40)
    for data in (plain, other):
        encodings.vocabulary(data, "wordpiece-200")
    assert pieces(plain, "wordpiece-200") == pieces(other, "wordpiece-200")
    train = rewrite(write_texts(tmp_path / "train"), "train", ["zebra " * 40] * 97)
    encodings.vocabulary(train, "wordpiece-200")
    assert pieces(plain, "wordpiece-200") != pieces(train, "wordpiece-200")


def test_the_test_split_is_read_only_when_it_is_asked_for(texts: PreparedTask) -> None:
    for file in (texts.root / "test").iterdir():
        file.unlink()
    for tokenizer in ("words", "wordpiece-200"):
        listed(texts, "train", tokenizer)
        listed(texts, "validation", tokenizer)
        assert not list((texts.root / "test").iterdir())
        with pytest.raises(UserError, match="test split of synthetic is incomplete"):
            encodings.tokens(texts, "test", tokenizer)


def test_tokens_are_made_once(texts: PreparedTask) -> None:
    first = listed(texts, "train", "wordpiece-200")
    (texts.root / "train" / "texts.npy").unlink()
    assert listed(texts, "train", "wordpiece-200") == first


@pytest.mark.parametrize("damage", ["version", "no about", "half"])
def test_tokens_that_are_old_or_not_whole_are_made_again(texts: PreparedTask, damage: str) -> None:
    first = listed(texts, "train", "words")
    folder = texts.root / "train" / "tokens-words"
    np.save(folder / "tokens.npy", np.zeros(3, np.int32))
    about = folder / "about.json"
    if damage == "version":
        about.write_text(json.dumps(json.loads(about.read_text()) | {"version": 0}))
    elif damage == "no about":
        about.unlink()
    else:
        about.write_text(about.read_text()[:10])
    assert listed(texts, "train", "words") == first


@pytest.mark.parametrize("content", ["", "{", '{"about": {"version": 0}, "pieces": []}'])
def test_a_tokenizer_that_is_old_or_damaged_is_learnt_again(tmp_path: Path, content: str) -> None:
    data = write_texts(tmp_path / f"texts-{len(content)}")
    (data.root / "tokenizer-wordpiece-200.json").write_text(content)
    assert encodings.vocabulary(data, "wordpiece-200") == 200


@pytest.mark.parametrize(
    "tokenizer", ["word", "wordpiece", "wordpiece-", "wordpiece-99", "wordpiece-08000", "bpe-100"]
)
def test_an_unknown_tokenizer_is_refused(texts: PreparedTask, tokenizer: str) -> None:
    with pytest.raises(UserError, match=f"`wordpiece-N` with N of at least 100, got '{tokenizer}'"):
        encodings.vocabulary(texts, tokenizer)


CODE = """
import sys
from pathlib import Path
from bench.data import encodings
from bench.data.prepared import PreparedTask
data = PreparedTask(Path(sys.argv[1]))
for split in ("train", "validation"):
    encodings.tokens(data, split, "wordpiece-2000")
"""


def started(data: PreparedTask, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(data.root)],
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ".", "OMP_NUM_THREADS": "1", **environment},
    )


def content(data: PreparedTask) -> list[bytes]:
    names = (
        "train/tokens-wordpiece-2000/tokens.npy",
        "validation/tokens-wordpiece-2000/tokens.npy",
    )
    return [repr(pieces(data, "wordpiece-2000")).encode()] + [
        (data.root / name).read_bytes() for name in names
    ]


def test_every_process_makes_the_same_bytes(tmp_path: Path) -> None:
    made = [write_texts(tmp_path / str(number), train=600) for number in range(3)]
    running = [
        started(made[0], PYTHONHASHSEED="1"),
        started(made[1], PYTHONHASHSEED="2", TOKENIZERS_PARALLELISM="false"),
        started(made[2], PYTHONHASHSEED="3", RAYON_NUM_THREADS="7"),
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert content(made[0]) == content(made[1]) == content(made[2])


def test_processes_that_ask_at_once_share_one_copy(tmp_path: Path) -> None:
    data = write_texts(tmp_path / "texts")
    running = [started(data) for _ in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    left = [path.name for path in data.root.rglob("*") if ".part-" in path.name]
    assert left == [] and len(listed(data, "train", "wordpiece-2000")) == 97


def test_real_news_are_framed_pieces(tmp_path: Path, shared_data: Path) -> None:
    with (shared_data / "ag_news" / "train.csv").open(newline="") as stream:
        rows = [f"{title} {text}" for _, title, text in csv.reader(stream)][:2000]
    data = write_texts(tmp_path / "news", train=len(rows))
    save_texts(data.root / "train", rows)
    found = listed(data, "train", "wordpiece-4000")
    assert encodings.vocabulary(data, "wordpiece-4000") == 4000
    assert all(ids[0] == CLS and ids[-1] == SEP for ids in found)
    assert 40 < np.mean([len(ids) for ids in found]) < 80
    assert sum(ids.count(UNK) for ids in found) < 10


# --- The tokenizers of pretrained models -----------------------------------------------------

FRAMES = {"bert": ("[CLS]", "[SEP]"), "roberta": ("<s>", "</s>"), "xlnet": ("", "<cls>")}


@pytest.mark.parametrize("kind", [*FRAMES, "gpt2"])
def test_a_folders_tokenizer_knows_words_and_frames_in_its_own_way(
    kind: str, texts: PreparedTask, tmp_path: Path
) -> None:
    tokenizer = make_tokenizer(kind)
    tokenizer.save_pretrained(tmp_path / kind)
    rewrite(texts, "validation", list(TEXTS))
    id = f"pretrained:{tmp_path / kind}"
    found = listed(texts, "validation", id)[: len(TEXTS)]
    assert found[:3] == [tokenizer(text)["input_ids"] for text in TEXTS[:3]]
    assert all(tokenizer.unk_token_id not in ids for ids in found if kind != "gpt2")
    assert len(found[3]) > 0 and len(found[4]) == MAX_TOKENS
    first, last = FRAMES.get(kind, ("", ""))
    for ids in found:
        names = tokenizer.convert_ids_to_tokens(ids)
        assert not first or names[0] == first
        assert not last or names[-1] == last
    assert encodings.vocabulary(texts, id) == len(tokenizer) > max(map(max, found))


def test_tokens_belong_to_a_tokenizer_wherever_it_lies(texts: PreparedTask, tmp_path: Path) -> None:
    """Copies share tokens, weights do not matter; another vocabulary has its own."""
    for name in ("one", "copy", "other"):
        make_tokenizer("bert").save_pretrained(tmp_path / name)
    (tmp_path / "copy" / "model.safetensors").write_bytes(b"weights")
    tokenizer = make_tokenizer("bert")
    tokenizer.add_tokens(["vabc"])
    tokenizer.save_pretrained(tmp_path / "other")

    def folders(name: str) -> set[str]:
        listed(texts, "train", f"pretrained:{tmp_path / name}")
        found = (texts.root / "train").glob("tokens-*")
        return {path.name for path in found if path.is_dir()}

    one = folders("one")
    assert folders("copy") == one and len(folders("other") - one) == 1
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in folders("one"))
    assert encodings.vocabulary(texts, f"pretrained:{tmp_path / 'other'}") == 21


def test_a_tokenizer_that_changed_is_read_again(texts: PreparedTask, tmp_path: Path) -> None:
    tokenizer, id = make_tokenizer("bert"), f"pretrained:{tmp_path / 'model'}"
    tokenizer.save_pretrained(tmp_path / "model")
    before = encodings.vocabulary(texts, id)
    tokenizer.add_tokens(["vabc"])
    tokenizer.save_pretrained(tmp_path / "model")
    assert encodings.vocabulary(texts, id) == before + 1


@pytest.mark.parametrize("content", ["nothing", "a configuration", "no words", "damage"])
def test_a_folder_without_a_tokenizer_is_refused(
    content: str, texts: PreparedTask, tmp_path: Path
) -> None:
    folder = tmp_path / content.replace(" ", "-")
    folder.mkdir()
    if content in ("a configuration", "damage"):
        (folder / "config.json").write_text('{"model_type": "bert", "vocab_size": 100}')
    if content == "no words":
        tokenizer = make_tokenizer("bert")
        tokenizer.save_pretrained(folder)
        (folder / "tokenizer.json").unlink()
    if content == "damage":
        (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="come with their tokenizer's files"):
        encodings.vocabulary(texts, f"pretrained:{folder}")


def test_a_tokenizer_of_no_folder_is_refused(texts: PreparedTask, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name a folder in transformers' format"):
        encodings.tokens(texts, "train", f"pretrained:{tmp_path / 'none'}")
