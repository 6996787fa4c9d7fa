"""Entailment models as judges: labels by name, windows over long texts, semantics set by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, WeightsError
from evalkit.scoring.judges.claims import claim, dated
from evalkit.scoring.judges.nli import NLIJudge, support_column

WORDS = ["cat", "dog", "sleeps", "barks", "the", "in", "garden", ".", "EUR", "42", "and"]
MNLI = {0: "contradiction", 1: "neutral", 2: "entailment"}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a folder with a tiny random BERT whose words are `WORDS`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    def made(labels: dict[int, str], positions: int = 32) -> Path:
        folder = tmp_path_factory.mktemp("bert")
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        vocabulary = {word: i for i, word in enumerate(special + WORDS)}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            "[CLS] $A [SEP]",
            "[CLS] $A [SEP] $B:1 [SEP]:1",
            [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
        )
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token="[PAD]",
            unk_token="[UNK]",
            cls_token="[CLS]",
            sep_token="[SEP]",
            model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        ).save_pretrained(folder)
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=positions,
            id2label=labels,
            label2id={name: place for place, name in labels.items()},
            num_labels=len(labels),
        )
        BertForSequenceClassification(config).save_pretrained(folder)
        return folder

    return made


def judge(folder: Path, **changes: Any) -> NLIJudge:
    return NLIJudge(folder, "weights-1", name="tiny", device="cpu", **changes)


class Overlap:
    """In place of the network: sure of support where the text holds all of the statement's words."""

    def __init__(self, real: Any, columns: int, support: int) -> None:
        self.config = real.config
        self.columns, self.support = columns, support
        self.batches: list[int] = []

    def __call__(self, input_ids: Any, token_type_ids: Any, attention_mask: Any) -> Any:
        from types import SimpleNamespace

        import torch

        self.batches.append(len(input_ids))
        logits = torch.zeros(len(input_ids), self.columns)
        for row, (ids, types, seen) in enumerate(
            zip(input_ids, token_type_ids, attention_mask, strict=True)
        ):
            first = {int(i) for i, t, m in zip(ids, types, seen, strict=True) if m and t == 0}
            second = {int(i) for i, t, m in zip(ids, types, seen, strict=True) if m and t == 1}
            logits[row, self.support] = 4.0 if second <= first else -4.0
        return SimpleNamespace(logits=logits)


def semantic(folder: Path, columns: int = 3, support: int = 2, **changes: Any) -> Any:
    made = judge(folder, **changes)
    made.__dict__["_model"] = Overlap(made._model, columns, support)
    return made


@pytest.mark.parametrize(
    ("labels", "column"),
    [
        (["contradiction", "neutral", "entailment"], 2),
        (["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], 0),
        (["entailment", "not_entailment"], 0),
        (["not_entailment", "entailment"], 1),
        (["hallucinated", "consistent"], 1),
        (["inconsistent", "consistent"], 1),
        (["Factually consistent", "Hallucination"], 0),
        (["SUPPORTED", "NOT ENOUGH INFO", "REFUTED"], 0),
        (["supported", "unsupported"], 0),
    ],
)
def test_the_supporting_label_is_found_by_its_name(labels: list[str], column: int) -> None:
    assert support_column(labels) == column


@pytest.mark.parametrize("labels", [["LABEL_0", "LABEL_1"], ["supported", "entailed"], ["toxic"]])
def test_unclear_labels_are_refused_with_the_key_to_set(labels: list[str]) -> None:
    """A guess would turn the judge round; the labels are listed."""
    with pytest.raises(ConfigError, match=f"'{labels[0]}'[\\s\\S]*judge.judge.supports=LABEL"):
        support_column(labels)
    assert support_column(labels, labels[-1]) == len(labels) - 1
    with pytest.raises(ConfigError, match="'x', which is no label"):
        support_column(labels, "x")


def test_labels_are_looked_at_before_any_work(make: Any) -> None:
    """Making the judge reads the configuration and not the weights."""
    folder = make({0: "LABEL_0", 1: "LABEL_1"})
    with pytest.raises(ConfigError, match="LABEL_1"):
        judge(folder)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    made = judge(folder, supports="LABEL_1")
    with pytest.raises(WeightsError, match="sequence classifier"):
        made.support(["cat"], ["cat"])


def test_the_score_is_the_probability_of_the_supporting_label(make: Any) -> None:
    """The weights of the classifier are set by hand: its bias alone decides."""
    import torch

    made = judge(make(MNLI))
    with torch.no_grad():
        made._model.classifier.weight.zero_()
        made._model.classifier.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
    (found,) = made.support(["the cat sleeps"], ["the cat sleeps in the garden"])
    assert found.score == pytest.approx(0.6652, abs=1e-4)
    assert found.supported is True
    assert judge(make(MNLI), threshold=0.7).support([], []) == []


def test_one_label_gives_a_logistic_probability(make: Any) -> None:
    """As cross-encoders of one output do."""
    import torch

    made = judge(make({0: "consistent"}))
    with torch.no_grad():
        made._model.classifier.weight.zero_()
        made._model.classifier.bias.fill_(-1.0)
    (found,) = made.support(["cat"], ["cat"])
    assert found.score == pytest.approx(0.2689, abs=1e-4)
    assert found.supported is False


def test_support_at_the_end_of_a_long_text_is_found(make: Any) -> None:
    """The best window counts, wherever it is, and is the evidence."""
    text = " ".join(["the dog barks ."] * 40 + ["the cat sleeps ."] + ["the dog barks ."] * 40)
    found = semantic(make(MNLI)).support(["cat sleeps", "cat barks in garden"], [text])
    assert [each.supported for each in found] == [True, False]
    assert "cat sleeps" in found[0].evidence
    assert len(found[0].evidence.split()) < 40


@pytest.mark.parametrize("place", range(0, 80, 7))
def test_no_place_of_a_text_falls_between_windows(make: Any, place: int) -> None:
    """Windows overlap, so two neighbouring words share a window wherever they stand."""
    words = ["dog"] * 80
    words[place : place + 2] = ["cat", "sleeps"]
    (found,) = semantic(make(MNLI), overlap=4).support(["cat sleeps"], [" ".join(words)])
    assert found.supported is True


def test_several_texts_and_batches_change_nothing(make: Any) -> None:
    """Any text may support; verdicts are the same whatever the batch."""
    folder = make(MNLI)
    texts = ["the dog barks", "the cat sleeps in the garden", "EUR 42"]
    statements = ["cat sleeps", "dog sleeps", "EUR 42", "dog barks"]
    found = [semantic(folder, batch=size).support(statements, texts) for size in (1, 5, 64)]
    assert [j.supported for j in found[0]] == [True, False, True, True]
    assert found[0] == found[1] == found[2]


def test_random_weights_do_not_depend_on_padding(make: Any) -> None:
    """Alone or beside a longer one, a statement has the same score."""
    made = judge(make(MNLI))
    (alone,) = made.support(["cat"], ["the cat"])
    beside = made.support(["cat", "the cat sleeps in the garden"], ["the cat"])
    assert alone.score == beside[0].score


def test_a_statement_too_long_fails_alone(make: Any) -> None:
    """It is not cut: a part of a statement is another statement."""
    found = semantic(make(MNLI)).support(["cat " * 40, "cat"], ["the cat"])
    assert found[0].supported is None
    assert "takes 43 of the 32 tokens" in str(found[0].error)
    assert found[1].supported is True


def test_no_text_supports_nothing(make: Any) -> None:
    (found,) = semantic(make(MNLI)).support(["cat"], [])
    assert (found.supported, found.score) == (False, 0.0)


def test_of_a_claim_the_value_is_judged_by_its_source(make: Any) -> None:
    """A value that stands in another document than the one named is not supported."""
    made = semantic(make(MNLI))
    texts = [dated("TRV", None, "EUR 42"), dated("ROOM", None, "the garden")]
    found = made.support([claim("EUR 42", "TRV"), claim("EUR 42", "ROOM")], texts)
    assert [each.supported for each in found] == [True, False]


def test_the_version_names_weights_and_settings(make: Any) -> None:
    """A cache or a signature that omits the model would take one model's verdict for another's."""
    folder = make(MNLI)
    versions = {
        judge(folder).version,
        judge(folder, threshold=0.6).version,
        judge(folder, window=20).version,
        judge(folder, supports="neutral").version,
        NLIJudge(folder, "weights-2", name="tiny", device="cpu").version,
    }
    assert len(versions) == 5
    assert judge(folder).version in versions


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"threshold": True}, "threshold is True"),
        ({"window": 8}, "window is 8"),
        ({"batch": 0}, "batch is 0"),
        ({"overlap": -1}, "overlap is -1"),
    ],
)
def test_wrong_settings_are_refused_by_key(make: Any, given: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        judge(make(MNLI), **given)


def test_a_model_that_gives_no_number_is_not_believed(make: Any) -> None:
    """NaN would compare as unsupported."""
    import torch

    made = judge(make(MNLI))
    with torch.no_grad():
        made._model.classifier.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="gave no number"):
        made.support(["cat"], ["cat"])
