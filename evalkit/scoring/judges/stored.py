"""Judgments that are kept: a rerun asks for none of them again, and an audit can read them all."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from evalkit.plurals import counted
from evalkit.scoring.judges.base import Judge, Judgment
from evalkit.scoring.judges.chat import Shelf, digest

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "judge", "version", "statement", "texts", "supported", "score", "evidence", "error",
    "model", "prompt", "replies", "agreement", "stored",
)  # fmt: skip
"""The columns of the table of judgments; ``stored`` says that it came from the store."""


class StoredJudge:
    """Any judge, with its judgments kept under the judge's identity, the statement and the texts.

    A judgment is kept before it is given out. A failed one is not kept: it is asked for again.

    Args:
        judge: The judge that is asked for what is not known.
        shelf: Where JSON values are kept by key.
    """

    def __init__(self, judge: Judge, shelf: Shelf) -> None:
        self._judge = judge
        self._shelf = shelf
        self._given: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self.concurrency = int(getattr(judge, "concurrency", 1))

    @property
    def name(self) -> str:
        return self._judge.name

    @property
    def version(self) -> str:
        return self._judge.version

    @property
    def blind_to(self) -> tuple[str, ...]:
        return self._judge.blind_to

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        """As the judge's own; each different statement is asked for once."""
        keys = {statement: self._key(statement, texts) for statement in statements}
        kept = self._shelf.get(keys.values())
        missing = [statement for statement, key in keys.items() if key not in kept]
        found = {s: _revived(kept[key]) for s, key in keys.items() if key in kept}
        new = self._judge.support(missing, texts) if missing else []
        if len(new) != len(missing):
            raise ValueError(
                f"judge {self.name!r} gave {counted(len(new), 'judgment')}"
                f" for {counted(len(missing), 'statement')}"
            )
        asked = dict(zip(missing, new, strict=True))
        self._keep(
            {keys[s]: self._row(s, texts, j) for s, j in asked.items() if j.supported is not None}
        )
        found |= asked
        with self._lock:
            for statement, judgment in found.items():
                row = self._row(statement, texts, judgment) | {"stored": statement not in asked}
                self._given.setdefault(keys[statement], row)
        return [found[statement] for statement in statements]

    def facts(self) -> dict[str, Any]:
        """Counts over the different judgments given: all, failed, taken from the store; and the
        mean share of replies that agree with the verdict, where there were several.
        """
        rows = list(self._given.values())
        agreements = [
            row["record"]["agreement"] for row in rows if len(row["record"].get("replies", ())) > 1
        ]
        return {
            **dict(getattr(self._judge, "facts", dict)()),
            "judgments": len(rows),
            "failed": sum(row["supported"] is None for row in rows),
            "from_store": sum(row["stored"] for row in rows),
            "agreement": sum(agreements) / len(agreements) if agreements else None,
        }

    def judgments(self) -> pd.DataFrame:
        """Every different judgment that was given, one row each; columns as in `COLUMNS`."""
        import pandas as pd

        rows = [{**row["record"], **row} for row in self._given.values()]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _key(self, statement: str, texts: Sequence[str]) -> str:
        return digest(["judgment", self.name, self.version, statement, list(texts)])

    def _keep(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        if rows:
            self._shelf.put(rows)

    def _row(self, statement: str, texts: Sequence[str], judgment: Judgment) -> dict[str, Any]:
        return {
            "kind": "judgment",
            "judge": self.name,
            "version": self.version,
            "statement": statement,
            "texts": list(texts),
            **asdict(judgment),
        }


class StoredLLMJudge(StoredJudge):
    """The same for a judge by a language model, which can also take texts apart and serve ragas."""

    def claims(self, text: str) -> list[str]:
        """As the judge's own; kept too."""
        key = digest(["claims", self.name, self.version, text])
        kept = self._shelf.get([key])
        if key not in kept:
            found = list(self._inner.claims(text))
            kept = {key: {"kind": "claims", "judge": self.name, "text": text, "claims": found}}
            self._shelf.put(kept)
        return [str(claim) for claim in kept[key]["claims"]]

    def ragas_llm(self) -> Any:
        """The model for ragas' own metrics, its replies kept."""
        return self._inner.ragas_llm(self._shelf)

    @property
    def _inner(self) -> Any:
        return self._judge


def stored(judge: Judge, shelf: Shelf) -> StoredJudge:
    """The judge with its judgments kept; what it can do beyond judging it still can."""
    return (StoredLLMJudge if hasattr(judge, "claims") else StoredJudge)(judge, shelf)


def _revived(row: Mapping[str, Any]) -> Judgment:
    record = row.get("record") or {}
    return Judgment(row["supported"], row["score"], row["evidence"], record=record)
