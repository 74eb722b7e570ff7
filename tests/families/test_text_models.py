"""Text classifiers: published sizes, and what each is meant to do."""

from __future__ import annotations

import pytest
import torch

from bench.errors import UserError
from bench.spec import Shape
from tests.families.builds import FAMILIES, SHAPES, configure, parameters


def test_fasttext_pads_without_a_trace_and_sees_the_order_of_words() -> None:
    shape = SHAPES["text_classification"][0]

    def logits(tokens: list[list[int]], ngrams: int) -> torch.Tensor:
        torch.manual_seed(0)
        model = FAMILIES["fasttext"].build(configure("fasttext", {"ngrams": ngrams}), shape)
        with torch.inference_mode():
            return model.eval()(torch.tensor(tokens, dtype=torch.int32))

    for ngrams in (1, 2):
        short, padded = logits([[5, 6, 7]], ngrams), logits([[5, 6, 7, -1, -1]], ngrams)
        torch.testing.assert_close(short, padded)
        together = logits([[5, 6, 7, -1], [9, 8, 7, 6]], ngrams)
        torch.testing.assert_close(together[:1], short)
    torch.testing.assert_close(logits([[5, 6, 7]], 1), logits([[7, 6, 5]], 1))
    assert not torch.allclose(logits([[5, 6, 7]], 2), logits([[7, 6, 5]], 2))
    assert logits([[-1, -1]], 2).isfinite().all()  # an empty text
    assert logits([[5]], 2).isfinite().all()  # a text without a pair


def test_hf_is_bert() -> None:
    """BERT-base, uncased, with 4 classes: 109,485,316 parameters."""
    shape = Shape(kind="text_classification", classes=4, vocabulary=30_522, max_tokens=512)
    settings = {"hidden_size": 768, "layers": 12}
    assert parameters("hf", shape, **settings) == 109_485_316


def test_hf_pads_without_a_trace_and_sees_the_order_of_pieces() -> None:
    shape = SHAPES["text_classification"][0]
    torch.manual_seed(0)
    model = FAMILIES["hf"].build(configure("hf", {"hidden_size": 128, "layers": 2}), shape).eval()
    with torch.no_grad():  # BERT's initial weights are so small that inputs hardly matter
        for parameter in model.parameters():
            parameter.mul_(5)

    def logits(tokens: list[list[int]]) -> torch.Tensor:
        with torch.inference_mode():
            return model(torch.tensor(tokens, dtype=torch.int32))

    short = logits([[2, 5, 6, 3]])
    together = logits([[2, 5, 6, 3, -1, -1], [2, 9, 8, 7, 6, 3]])
    torch.testing.assert_close(together[:1], short, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(logits([[2, 6, 5, 3]]), short, atol=1e-2)
    assert logits([[-1, -1]]).isfinite().all()


def test_hf_names_its_tokenizer_and_wants_its_vocabulary() -> None:
    tokenizer = FAMILIES["hf"].tokenizer
    assert tokenizer is not None
    assert tokenizer(configure("hf", {})) == "wordpiece-8000"
    assert tokenizer(configure("hf", {"vocabulary": 16000})) == "wordpiece-16000"
    with pytest.raises(UserError, match="hf needs texts as word pieces"):
        parameters("hf", Shape(kind="text_classification", classes=4))


def test_textcnn_pads_without_a_trace_and_sees_the_order_of_words() -> None:
    shape = SHAPES["text_classification"][0]
    torch.manual_seed(0)
    model = FAMILIES["textcnn"].build(configure("textcnn", {"widths": "2-3-4"}), shape).eval()

    def logits(tokens: list[list[int]]) -> torch.Tensor:
        with torch.inference_mode():
            return model(torch.tensor(tokens, dtype=torch.int32))

    short = logits([[5, 6]])  # shorter than its widest window
    torch.testing.assert_close(logits([[5, 6, -1, -1, -1, -1]]), short)
    together = logits([[5, 6, -1, -1, -1], [9, 8, 7, 6, 5]])
    torch.testing.assert_close(together[:1], short)
    torch.testing.assert_close(together[1:], logits([[9, 8, 7, 6, 5]]))
    assert not torch.allclose(logits([[6, 5]]), short)
    empty = logits([[-1, -1]])
    assert empty.isfinite().all()
    torch.testing.assert_close(logits([[-1], [5]])[:1], empty)


def test_textcnn_is_kims() -> None:
    """Widths 3, 4 and 5 with 100 filters each over vectors of 300, and a linear layer."""
    shape = Shape(kind="text_classification", classes=4)
    convolutions = sum(300 * width * 100 + 100 for width in (3, 4, 5))
    settings = {"filters": 100, "dimension": 300, "buckets": 2**16}
    assert parameters("textcnn", shape, **settings) == 2**16 * 300 + convolutions + 300 * 4 + 4


def test_textcnn_finds_a_phrase_wherever_it_stands() -> None:
    shape = Shape(kind="text_classification", classes=2)
    torch.manual_seed(0)
    model = FAMILIES["textcnn"].build(configure("textcnn", {"widths": "3"}), shape).eval()
    around = [2] * 8
    places = torch.tensor([around[:n] + [71, 72, 73] + around[n:] for n in (3, 4, 5)])
    with torch.inference_mode():
        found = model(places)
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


def test_published_settings_of_text_models_lie_in_their_spaces() -> None:
    settings = [one.settings for one in FAMILIES["hf"].published]
    assert len(settings) == 5 and all(configure("hf", one) for one in settings)
    assert {one["batch_size"] for one in settings} == {16, 32, 64}
    slim = configure("hf", settings[2])
    assert (slim["drop_layers"], slim["learning_rate"]) == (2, 1e-5) and "layers" not in slim
    assert configure("hf", settings[0])["layers"] == 12
