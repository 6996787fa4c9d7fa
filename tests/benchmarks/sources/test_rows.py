"""Every fault of a published file is named by its place, and the hub is pinned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import BenchmarkError
from evalkit.benchmarks.sources import (
    beir,
    clapnq,
    freshqa,
    hotpotqa,
    realtimeqa,
    situatedqa,
    squad,
)
from evalkit.benchmarks.sources.rows import from_csv, from_hub, texts

COMMIT = "a" * 40
SOURCES = [beir, clapnq, freshqa, hotpotqa, realtimeqa, situatedqa, squad]


@pytest.mark.parametrize("module", SOURCES)
def test_one_place_must_be_named(module: Any, tmp_path: Path) -> None:
    """Neither or both of path and hub is refused, and the keys are named."""
    with pytest.raises(BenchmarkError, match=r"one of the two(?s:.)*benchmark\.path"):
        module.load()
    with pytest.raises(BenchmarkError, match="one of the two"):
        module.load(tmp_path, hub="a/b", revision=COMMIT)


@pytest.mark.parametrize("module", SOURCES)
@pytest.mark.parametrize("revision", [None, "main", "abc123", "A" * 40])
def test_a_hub_needs_a_whole_commit(module: Any, revision: str | None) -> None:
    """A name that can move is refused, before anything is fetched."""
    with pytest.raises(BenchmarkError, match="40 hexadecimal digits"):
        module.load(hub="owner/name", revision=revision)


@pytest.mark.parametrize("module", [clapnq, hotpotqa, realtimeqa, situatedqa, squad])
def test_a_hub_out_of_reach_says_what_was_asked_for(module: Any) -> None:
    """The refusal names id, commit and split, and what to do instead; no network is used here."""
    with pytest.raises(BenchmarkError, match=rf"owner/name@{COMMIT}(?s:.)*benchmark\.path"):
        module.load(hub="owner/name", revision=COMMIT)


def test_rows_of_a_hub_are_numbered(hub: Any) -> None:
    """An error can name them as it names lines."""
    hub({("owner/name", "en", "test"): [{"a": 1}, {"a": 2}]})
    lines = from_hub("owner/name", COMMIT, "en", "test")
    assert [(line.file, line.number) for line in lines] == [
        ("owner/name/test", 1),
        ("owner/name/test", 2),
    ]


@pytest.mark.parametrize("module", SOURCES)
def test_a_path_that_holds_nothing_is_named(module: Any, tmp_path: Path) -> None:
    """An empty folder and a folder that does not exist alike."""
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BenchmarkError, match=str(tmp_path)):
            module.load(place)


def test_csv_lines_are_those_of_the_file(write: Any) -> None:
    """Rows above the header are passed over, and a cell with a line end does not shift the count."""
    path = write("t.csv", 'a notice,,\n,,\nid,question\n1,"two\nlines"\n,\n2,one\n')
    assert [(line.number, line.row["id"]) for line in from_csv(path, ["question"])] == [
        (4, "1"),
        (7, "2"),
    ]


def test_a_tab_separated_quotation_mark_is_a_character(write: Any) -> None:
    """Such files are not quoted."""
    path = write("t.tsv", 'id\tq\n1\t"so\n2\tb"\n')
    assert [line.row["q"] for line in from_csv(path, ["q"], "\t")] == ['"so', 'b"']


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_a_table_without_its_columns_is_refused(write: Any, content: str) -> None:
    """The columns that were expected are named."""
    with pytest.raises(BenchmarkError, match="expected the columns id, question"):
        from_csv(write("t.csv", content), ["id", "question"])


def test_texts_are_each_once_and_not_blank() -> None:
    """One text may stand for a list of one."""
    assert texts({"a": [" x", "x ", "", "y"]}, "a") == ["x", "y"]
    assert texts({"a": "x"}, "a") == ["x"]


def test_json_that_is_none_is_named_by_line(write: Any) -> None:
    """Also within a large document."""
    with pytest.raises(BenchmarkError, match=r"x\.json:3 is not JSON"):
        squad.load(write("x.json", '{"data":\n[\n{]}'))
