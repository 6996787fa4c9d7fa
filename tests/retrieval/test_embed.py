"""Embedders give normalised vectors that depend on the text alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.retrieval import HashEmbedder, TransformerEmbedder
from evalkit.retrieval.embed import _batches

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "small", "locker", "costs", "three",
         "euros", "day", "the"]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with a vocabulary of a few words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("tiny-bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@given(st.lists(st.text(max_size=40), max_size=5))
def test_hash_vectors_have_length_one(texts: list[str]) -> None:
    """Any text, an empty one too, has a vector of length 1."""
    vectors = HashEmbedder(64).encode(texts)
    assert vectors.shape == (len(texts), 64)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_hash_vectors_are_the_same_in_every_process() -> None:
    """The hash is not seeded: the first components that are not 0 are pinned."""
    (vector,) = HashEmbedder(16).encode(["Locker"])
    assert np.flatnonzero(vector).tolist() == [1, 2, 6, 14]


def test_hash_vectors_of_like_texts_are_near() -> None:
    """A plural is nearer than another word, whatever the case."""
    base, plural, other = HashEmbedder().encode(["parcel locker", "Parcel LOCKERS", "cold store"])
    assert base @ plural > 0.6
    assert abs(base @ other) < 0.2


def test_transformer_takes_the_mean_over_the_tokens_of_a_text(model: Path) -> None:
    """Padding does not count: a vector in a batch equals the mean pooled by hand, alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    text = "a small locker"
    tokens = AutoTokenizer.from_pretrained(model)(text, return_tensors="pt")
    with torch.inference_mode():
        states = AutoModel.from_pretrained(model)(**tokens).last_hidden_state[0]
    embedder = TransformerEmbedder(model)
    vector = embedder.encode(["the small locker costs three euros a day", text, "day"])[1]
    expected = states.mean(0).numpy()
    assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)
    first = TransformerEmbedder(model, pooling="cls").encode([text])[0]
    assert np.allclose(first, states[0].numpy() / np.linalg.norm(states[0].numpy()), atol=1e-5)


def test_transformer_gives_equal_texts_equal_vectors(model: Path) -> None:
    """Order and repetition do not matter, to the last bit for repeated texts."""
    texts = ["day", "small locker", "day", "a", "the locker costs"]
    embedder = TransformerEmbedder(model, batch_tokens=8)
    vectors = embedder.encode(texts)
    assert (vectors[0] == vectors[2]).all()
    assert np.allclose(vectors[::-1], embedder.encode(texts[::-1]), atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert embedder.encode([]).shape == (0, 16)
    assert embedder.dimension == 16


def test_transformer_counts_every_text_as_progress(model: Path) -> None:
    """Progress adds up to the number of texts, repeated ones included."""
    done: list[int] = []
    TransformerEmbedder(model, batch_tokens=6).encode(["day", "a", "day"], progress=done.append)
    assert sum(done) == 3


def test_transformer_reads_up_to_max_length(model: Path) -> None:
    """What lies beyond ``max_length`` tokens (two of them special) changes nothing."""
    embedder = TransformerEmbedder(model, max_length=4)
    a, b, c = embedder.encode(["small locker", "small locker day", "small day"])
    assert np.allclose(a, b, atol=1e-6)
    assert not np.allclose(a, c, atol=1e-3)


def test_prefixes_tell_questions_from_passages(model: Path) -> None:
    """A query prefix is put before texts that ask, and is part of the name."""
    plain = TransformerEmbedder(model, name="tiny")
    prefixed = TransformerEmbedder(model, name="tiny", query_prefix="the ")
    asked = prefixed.encode(["locker"], query=True)
    assert np.allclose(asked, plain.encode(["the locker"]), atol=1e-6)
    assert np.allclose(prefixed.encode(["locker"]), plain.encode(["locker"]), atol=1e-6)
    assert plain.name == "tiny-mean-256"
    assert prefixed.name != plain.name


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """The error names the folder and says what to do."""
    with pytest.raises(ConfigError, match="holds no model"):
        TransformerEmbedder(tmp_path).encode(["x"])
    with pytest.raises(ConfigError, match="'mean' or 'cls'"):
        TransformerEmbedder(tmp_path, pooling="max")  # type: ignore[arg-type]


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200))
def test_batches_hold_every_text_once_and_keep_to_their_size(lengths: list[int], most: int) -> None:
    """No text is lost; a batch with its padding keeps to the limit unless it is one text."""
    batches = list(_batches(lengths, most))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= most
