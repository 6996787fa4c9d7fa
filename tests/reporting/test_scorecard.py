"""The scorecard in Markdown and in a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from evalkit.reporting import ResultsError, print_scorecard, scorecard_markdown


def printed(results: dict[str, Any], width: int = 100) -> str:
    """What a terminal of that width shows, without colours."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    print_scorecard(results, console)
    return console.file.getvalue()


def table_line(text: str, start: str) -> str:
    """The first line that starts so, spaces squeezed."""
    squeezed = (" ".join(line.split()) for line in text.splitlines())
    return next(line for line in squeezed if line.startswith(start))


def test_markdown_cells_have_value_interval_and_n(results: dict[str, Any]) -> None:
    """Every cell carries its denominator; a failed question is marked with its count."""
    text = scorecard_markdown(results)
    line = table_line(text, "| faithfulness | generation | faithful to passages")
    assert line.endswith("| n/a | **63 %** [56, 70] n=204 | n/a | **77 %** [71, 83] n=181 †2 |")


def test_markdown_has_all_axes_and_stages(results: dict[str, Any]) -> None:
    """Three axes by two stages, and the rows beside them."""
    text = scorecard_markdown(results)
    for axis in ("faithfulness", "format", "freshness"):
        for stage in ("retrieval", "generation"):
            assert f"| {axis} | {stage} |" in text
    for beside in ("correctness", "citation", "retention", "cost"):
        assert f"| {beside} | generation |" in text


def test_outdated_answers_stand_by_what_was_retrieved(results: dict[str, Any]) -> None:
    """In a table of their own, with what each row is over; without such rows there is no table."""
    title = "## Outdated answers, by what was retrieved"
    assert title not in scorecard_markdown(results)
    known = next(e for e in results["estimates"] if e["metric"] == "freshness/generation/outdated")
    for name, value, n in (
        ("outdated_given_retrieved", 0.05, 60),
        ("outdated_given_missed", 0.4, 30),
    ):
        for pipeline in ("rag", "hybrid"):
            row = known | {"pipeline": pipeline, "value": value, "n_scored": n}
            results["estimates"].append(row | {"metric": f"freshness/generation/{name}"})
    part = scorecard_markdown(results).partition(title)[2]
    line = table_line(part, "| freshness | generation | outdated, evidence missed")
    assert line.count("**40 %**") == 2
    assert line.count("n=30") == 2
    assert line.count("| – |") == 2


def test_markdown_cannot_be_broken_by_names(results: dict[str, Any]) -> None:
    """A pipeline name with a pipe and a tag stays inside its cell."""
    results["pipelines"][0]["name"] = "a|b<script>"
    lines = scorecard_markdown(results).splitlines()
    head = next(line for line in lines if line.startswith("| axis"))
    assert "a\\|b&lt;script>" in head
    assert head.replace("\\|", "").count("|") == 8


def test_terminal_shows_four_pipelines_in_100_columns(results: dict[str, Any]) -> None:
    """Nothing is cut off and no line is longer than the terminal."""
    text = printed(results)
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    assert (
        table_line(text, "correct 204")
        == "correct 204 3 [0.1, 6] 54 [47, 61] 4 [0.8, 7] 58 [51, 65]"
    )
    assert table_line(text, "faithful to passages").endswith("n/a 63 [56, 70] n/a 77† [71, 83]")


def test_terminal_puts_more_pipelines_into_blocks(results: dict[str, Any]) -> None:
    """In 60 columns the four pipelines need several tables, each with the same rows."""
    text = printed(results, width=60)
    assert text.count("context recall") == 4
    assert all(name in text for name in ("prompt_only", "rag", "lora", "hybrid"))


def test_terminal_takes_names_with_brackets(results: dict[str, Any]) -> None:
    """A name that looks like markup is printed as it is."""
    for record in [*results["estimates"], *({"pipeline": None},)]:
        if record["pipeline"] == "rag":
            record["pipeline"] = "[bold]rag"
    results["pipelines"][1]["name"] = "[bold]rag"
    assert "[bold]rag" in printed(results)


def empty(results: dict[str, Any], metric: str, **more: Any) -> None:
    """Take every value of a metric away."""
    for e in results["estimates"]:
        if e["metric"] == metric:
            e |= {"value": None, "low": None, "high": None, "n_scored": 0, **more}


def test_the_legend_gives_the_reason_of_every_na(results: dict[str, Any]) -> None:
    """No retrieval is a reason; so is an adapter that never cites."""
    for e in results["estimates"]:
        if (e["pipeline"], e["metric"]) == ("lora", "citation/generation/precision"):
            e |= {"value": None, "low": None, "high": None, "n_scored": 0, "reason": "no citation"}
    text = " ".join(printed(results).split())
    assert "n/a: the pipeline has no retrieval." in text
    assert "n/a: no citation (citation precision)." in text


def test_rows_that_are_na_everywhere_fold_into_a_line(results: dict[str, Any]) -> None:
    """They are named with their reason and take no row; an axis left without rows takes none."""
    for metric in ("citation/generation/precision", "citation/generation/recall"):
        empty(results, metric)
    empty(results, "retention/generation/correct")
    empty(results, "faithfulness/retrieval/context_recall", reason="no question names evidence")
    for text in (scorecard_markdown(results), printed(results)):
        words = " ".join(text.split())
        assert "n/a in every pipeline: control questions (the benchmark has no control" in words
        assert (
            "n/a in every pipeline: citation precision, citation recall (the format asks for no "
            "citation)."
        ) in words
        assert "n/a in every pipeline: context recall (no question names evidence)." in words
        assert "retention" not in words
    assert not any(line.startswith(" context recall") for line in printed(results).splitlines())


def test_a_run_without_retrieval_folds_what_needs_it(results: dict[str, Any]) -> None:
    """One line, with the reason of the run and not of a pipeline."""
    chosen = {"prompt_only", "lora"}
    results["pipelines"] = [p for p in results["pipelines"] if p["name"] in chosen]
    results["estimates"] = [e for e in results["estimates"] if e["pipeline"] in chosen]
    text = " ".join(scorecard_markdown(results).split())
    assert "lag, days, seconds to retrieve (no pipeline has retrieval)." in text
    assert "| n/a |" not in text


def test_a_row_in_which_all_failed_is_not_folded(results: dict[str, Any]) -> None:
    """Failing everywhere is a finding, not an absence."""
    empty(results, "correctness/generation/correct", n_failed=204)
    assert table_line(printed(results), "correct 0") == "correct 0 failed failed failed failed"
    assert "in every pipeline" not in printed(results)


def test_the_blind_spots_of_the_judge_are_a_footnote(results: dict[str, Any]) -> None:
    """In the legend; a judge that names none has no footnote."""
    for show in (scorecard_markdown, printed):
        assert "The judge (sentences) is blind to: pipeline, category." in show(results)
        assert "blind" not in show({**results, "judge": {"name": "none"}})


def test_the_legend_says_what_a_statement_is(results: dict[str, Any]) -> None:
    """Faithfulness of bare values and of sentences differ in kind; without the rows, no note."""
    for text in (scorecard_markdown(results), printed(results)):
        assert "a structured answer states one bare value, prose states whole" in " ".join(
            text.split()
        )
    rest = [e for e in results["estimates"] if not e["metric"].startswith("faithfulness/gen")]
    assert "Statements:" not in scorecard_markdown({**results, "estimates": rest})


def test_the_legend_states_the_confidence_of_the_run(results: dict[str, Any]) -> None:
    """The intervals of a run at 90 % are not called 95 % intervals."""
    assert "95 % intervals" in printed(results)
    results["statistics"] = {"confidence": 0.9}
    for text in (printed(results), scorecard_markdown(results)):
        assert "90 % intervals" in text
        assert "95 %" not in text


def test_the_rows_of_correctness(results: dict[str, Any]) -> None:
    """Correct, abstains when due, and abstains wrongly, of which less is better."""
    cells = [e for e in results["estimates"] if e["metric"] == "correctness/generation/abstention"]
    over = "correctness/generation/over_abstention"
    results["estimates"] += [{**e, "metric": over} for e in cells]
    text = scorecard_markdown(results)
    rows = [line.split(" | ")[2] for line in text.splitlines() if line.startswith("| correctness")]
    assert rows == ["correct", "abstains when due", "abstains wrongly ↓"]


def test_all_failed_is_not_na(results: dict[str, Any]) -> None:
    """A cell in which every question failed says so."""
    for e in results["estimates"]:
        if (e["pipeline"], e["metric"]) == ("rag", "correctness/generation/correct"):
            e |= {"value": None, "low": None, "high": None, "n_scored": 0, "n_failed": 204}
    assert table_line(printed(results), "correct 204").startswith("correct 204 3 [0.1, 6] failed 4")


def test_other_schema_versions_are_refused(results: dict[str, Any]) -> None:
    """The complaint names the version found and the one expected."""
    with pytest.raises(ResultsError, match="schema 9; expected 1"):
        scorecard_markdown({**results, "schema": 9})
    with pytest.raises(ResultsError, match="no estimates"):
        scorecard_markdown({k: v for k, v in results.items() if k != "estimates"})
