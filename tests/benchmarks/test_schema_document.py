"""The examples in SCHEMA.md are sound: what a reader copies from it works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evalkit.benchmarks import check, jsonl, load
from evalkit.benchmarks.schema import ANSWER, FIELDS, PASSAGE
from evalkit.records import FormatSpecification
from evalkit.scoring.instructions import faults, kinds

DOCUMENT = (Path(jsonl.__file__).parent / "SCHEMA.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_least_example_works(tmp_path: Path) -> None:
    """The first two examples are a whole benchmark."""
    (tmp_path / "corpus.jsonl").write_text(EXAMPLES[0])
    (tmp_path / "questions.jsonl").write_text(EXAMPLES[1])
    assert len(load(tmp_path).questions) == 2


def test_the_full_example_works(tmp_path: Path) -> None:
    """The other examples together are one too, options included."""
    names = ("corpus.jsonl", "questions.jsonl", "training.jsonl", "benchmark.json")
    for name, example in zip(names, EXAMPLES[2:6], strict=True):
        (tmp_path / name).write_text(example, encoding="utf-8")
    assert check(tmp_path) == []
    benchmark = load(tmp_path)
    assert (benchmark.name, benchmark.license) == ("ours", "CC-BY-4.0")
    assert [each.answer for each in benchmark.training] == ["EUR 38", "3 hours", None]
    assert benchmark.format.abstention == "not stated"


def test_the_format_example_is_sound_and_every_kind_is_documented() -> None:
    """What can be checked stands in the document, kinds and parameters by their names."""
    specification = FormatSpecification(**json.loads(EXAMPLES[6])["format"])
    assert faults(specification) == []
    for kind in kinds():
        names = [kind.name, *(parameter.name for parameter in kind.parameters)]
        assert [name for name in names if f"`{name}`" not in DOCUMENT] == []


FIELD_NAMES = sorted({f.name for fields in (*FIELDS.values(), ANSWER, PASSAGE) for f in fields})


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_every_field_is_documented(name: str) -> None:
    """A field that the checker knows stands in the document."""
    assert f"`{name}`" in DOCUMENT
