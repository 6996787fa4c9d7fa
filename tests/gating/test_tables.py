"""Any table of paired results: what counts as a number, what is missing, what is a third state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evalkit.errors import EvalkitError
from evalkit.gating import GateResult, gate_tables

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("a.csv", values)``: a table with the columns question and correct."""

    def written(name: str, values: list[Any], ids: list[Any] | None = None) -> Path:
        path, named = tmp_path / name, ids or [f"q{i}" for i in range(len(values))]
        rows = list(zip(named, values, strict=True))
        if path.suffix == ".jsonl":
            lines = [json.dumps({"question": q, "correct": v}, ensure_ascii=False) for q, v in rows]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        elif path.suffix == ".parquet":
            pd.DataFrame(rows, columns=["question", "correct"]).to_parquet(path)
        else:
            cells = "".join(f"{q},{'' if v is None else v}\n" for q, v in rows)
            path.write_text(f"question,correct\n{cells}", encoding="utf-8")
        return path

    return written


def gated(a: Any, b: Any, **options: Any) -> GateResult:
    chosen = {"margin": 0.05, "resamples": 1000} | options
    return gate_tables(a, b, id="question", metric="correct", **chosen)


def pattern(n: int, zeros: int) -> list[int]:
    return [0] * zeros + [1] * (n - zeros)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_outcome(write: Write, ending: str) -> None:
    a, b = write(f"a.{ending}", pattern(200, 60)), write(f"b.{ending}", pattern(200, 10))
    result = gated(a, b, kind="superiority", margin=0.0)
    assert result.ships
    assert result.table.loc[0, "effect"] == pytest.approx(0.25)
    assert gated(b, a).exit_code == 1


def test_frames_and_formats_mix_and_ids_match_across_types(write: Write) -> None:
    """7, 7.0 and "7" are one id, and true is 1."""
    frame = pd.DataFrame({"question": [1.0, 2.0, 3.0] * 1, "correct": [True, False, True]})
    other = write("b.jsonl", ["true", 0, 1.0], ids=["1", 2, 3])
    result = gated(frame, other)
    assert result.table.loc[0, "n_pairs"] == 3
    assert result.table.loc[0, "effect"] == 0


def test_unicode_ids_and_quoted_cells_are_read_to_the_letter(tmp_path: Path) -> None:
    text = 'question,correct,output\n"ä,ß",1,"two\nlines"\n日本,0,"x""y"\n'
    (tmp_path / "a.csv").write_text("\ufeff" + text, encoding="utf-8")
    (tmp_path / "b.csv").write_text(text + "日本,1,z\n", encoding="utf-8")
    with pytest.raises(
        EvalkitError, match=r"b\.csv:5: question '日本' is there already, in line 4"
    ):
        gated(tmp_path / "a.csv", tmp_path / "b.csv")
    assert gated(tmp_path / "a.csv", tmp_path / "a.csv").table.loc[0, "n_pairs"] == 2


def test_missing_results_are_counted_and_above_two_per_cent_nothing_is_decided(
    write: Write,
) -> None:
    """A row that vanishes does not raise the mean of the others."""
    a = write("a.csv", pattern(300, 30))
    for missing, code in ((3, 0), (9, 2)):
        b = write(f"b{missing}.csv", [None] * missing + pattern(300, 30)[missing:])
        result = gated(a, b)
        assert result.exit_code == code
        assert result.table.loc[0, "failed_share"] == pytest.approx(missing / 300)
        assert any(f"{missing} results missing" in note for note in result.notes)


def test_an_id_in_one_table_only_is_missing_in_the_other(write: Write) -> None:
    a, b = (
        write("a.csv", pattern(300, 30)),
        write("b.csv", pattern(290, 20), [f"q{i}" for i in range(10, 300)]),
    )
    result = gated(a, b)
    assert result.exit_code == 2
    assert any("10 ids in" in note and "a.csv:2" in note for note in result.notes)


def test_without_a_common_id_nothing_is_comparable(write: Write) -> None:
    a, b = write("a.csv", [1, 0]), write("b.csv", [1, 0], ids=["x", "y"])
    result = gated(a, b)
    assert result.exit_code == 3
    assert "'q0'" in result.reason
    assert "'x'" in result.reason


def test_refusing_cannot_win(write: Write) -> None:
    """A candidate that refuses what it would get wrong is better where it answers, and blocked."""
    a = write("a.csv", pattern(400, 120))
    b = write("b.csv", ["refused"] * 120 + [1] * 280)
    result = gated(a, b, kind="superiority", margin=0.0)
    verdicts = dict(zip(result.table["metric"], result.table["verdict"], strict=True))
    assert verdicts["answered"] == "refuted"
    assert result.exit_code == 1
    assert result.states == [{"before": "0", "after": "refused", "n": 120}]
    assert result.table.loc[0, "n_pairs"] == 280


def test_a_word_can_be_given_a_value(write: Write) -> None:
    """``refused=0`` makes it a wrong answer, and there is no third state left."""
    a, b = write("a.csv", pattern(400, 120)), write("b.csv", ["Refused"] * 120 + [1] * 280)
    result = gated(a, b, states={"refused": 0})
    assert result.table.loc[0, "effect"] == 0
    assert (len(result.table), list(result.states)) == (1, [])


def test_values_outside_the_unit_interval_are_unbounded_and_shown_as_they_are(write: Write) -> None:
    """Seconds, say; lower may be better."""
    a, b = ([round(m + i % 7 * 0.3, 1) for i in range(60)] for m in (9.0, 5.0))
    first, second = write("a.csv", a), write("b.csv", b)
    result = gated(first, second, direction="lower", margin=0.5)
    assert result.ships
    assert result.table.loc[0, "effect"] == pytest.approx(-4.0)
    assert result.table.loc[0, "unit"] == ""
    assert gated(second, first, direction="lower", margin=0.5).exit_code == 1


def test_rows_of_one_cluster_count_once(tmp_path: Path) -> None:
    """A hundred rows of one cluster decide nothing; tables that disagree on clusters are refused."""
    frame = pd.DataFrame({"question": range(100), "correct": 1, "doc": "d"})
    result = gated(frame, frame, cluster="doc")
    assert result.exit_code == 2
    assert result.table.loc[0, "n_clusters"] == 1
    with pytest.raises(EvalkitError, match="row 1: '0' is in cluster 'e'"):
        gated(frame, frame.assign(doc="e"), cluster="doc")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("b.csv", "", "no column 'question'"),
        ("b.csv", "question,correct\n", "holds no rows"),
        ("b.csv", "question;correct\nq0;1\n", "separated by ';'"),
        ("b.csv", "question,other\nq0,1\n", "its columns are question, other"),
        ("b.csv", "question,correct,correct\nq0,1,1\n", "two columns are called 'correct'"),
        ("b.csv", "question,correct\nq0,1,2\n", r"b\.csv:2: 3 cells, the head has 2"),
        ("b.csv", "question,correct\nq0,1\nq0,1\n", r"b\.csv:3: question 'q0' is there already, in line 2"),
        ("b.csv", "question,correct\n,1\n", r"b\.csv:2: no 'question'"),
        ("b.csv", "question,correct\nq0,yes\n", "--state yes=1"),
        ("b.csv", 'question,correct\nq0,"0,5"\n', "'0,5', which is no number"),
        ("b.csv", "question,correct\nq0,inf\n", "no number"),
        ("b.csv", 'question,correct\nq0,"1\n', r"b\.csv:2: .*quote|b\.csv:2: unexpected end"),
        ("b.jsonl", '{"question": 1, "correct": 1}\n{"question"\n', r"b\.jsonl:2: no JSON"),
        ("b.jsonl", '{"question": 1, "correct": [1]}\n', r"b\.jsonl:1: correct is '\[1\]'"),
        ("b.jsonl", '{"question": 1}\n', r"b\.jsonl:1: no column 'correct'"),
        ("b.jsonl", "[1]\n", "no JSON object"),
        ("b.parquet", "no", "no Parquet file"),
        ("b.xlsx", "", "no format that can be read"),
        ("b.csv", None, "cannot be read"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_trusted_names_file_line_and_remedy(
    write: Write, tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    a = write("a.csv", [1, 0, 1])
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(EvalkitError, match=said) as caught:
        gated(a, tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert caught.value.todo


def test_a_column_of_texts_is_not_taken_for_states(write: Write) -> None:
    a = write("a.csv", [1, *(f"text {i}{'x' * i}" for i in range(20))])
    with pytest.raises(EvalkitError, match="20 different words"):
        gated(a, a)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"margin": 0.0}, "margin is 0"),
        ({"margin": -1}, "margin is -1"),
        ({"margin": 5}, "correct is a share"),
        ({"kind": "better"}, "kind is 'better'"),
        ({"direction": "up"}, "direction is 'up'"),
        ({"confidence": 1.5}, "confidence is 1.5"),
    ],
)
def test_wrong_options_are_named(write: Write, options: dict[str, Any], said: str) -> None:
    a = write("a.csv", [1, 0, 1])
    with pytest.raises(EvalkitError, match=said):
        gated(a, a, **options)


def test_one_row_is_inconclusive(write: Write) -> None:
    assert gated(write("a.csv", [1]), write("b.csv", [1])).exit_code == 2


def test_resamples_shrink_with_the_length_of_a_table(write: Write) -> None:
    """So that 100,000 rows take seconds; 20,000 rows do with 5,000 resamples."""
    n = 20_000
    a, b = (
        write("a.csv", [i % 10 > 2 for i in range(n)]),
        write("b.csv", [i % 11 > 2 for i in range(n)]),
    )
    result = gated(a, b, margin=0.01, resamples=100_000)
    assert result.ships
    assert result.settings["resamples"] == 5_000
