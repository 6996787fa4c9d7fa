"""From the ``judge`` part of a configuration to a judge: model, store and calibration put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalkit.configuration.making import call, make
from evalkit.errors import ConfigError
from evalkit.models import weights
from evalkit.retrieval import Embedder
from evalkit.scoring import Judge
from evalkit.scoring.calibration import CalibratedJudge, read_calibration
from evalkit.scoring.judges.stored import stored
from evalkit.secrets import without_credentials
from evalkit.store import Store

KEYS = ("calibration", "chat", "embedder", "evidence", "judge", "stored", "weights")


def build_judge(
    part: Mapping[str, Any],
    embedder: Callable[[], Embedder],
    store: Path,
    *,
    calibrated: bool = True,
) -> Judge:
    """The judge of a configuration.

    Args:
        part: Its ``judge``: what makes it (``judge``), and what that is given first: the run's
            ``embedder``; its own ``weights`` (folder and identity), or what reads them: a ``chat``
            model, or a reader of ``evidence`` (true, false, or auto: where the weights are at
            hand). Whether its judgments are ``stored``, and the file of its ``calibration``.
        embedder: Gives the run's embedder.
        store: Where judgments are kept.
        calibrated: Whether the calibration is applied.

    Raises:
        ConfigError: A key is wrong, or the calibration is another judge's.
    """
    if unknown := sorted(set(part) - set(KEYS)):
        raise ConfigError(f"judge has the unknown keys {unknown}; expected some of {list(KEYS)}")
    judge: Judge = call(make(part["judge"], "judge.judge"), "judge.judge", *_given(part, embedder))
    if part.get("stored"):
        identity = {"judge": judge.name, "version": judge.version}
        judge = stored(judge, Store(store.expanduser()).rows("judgments", identity))
    if calibrated and part.get("calibration"):
        judge = CalibratedJudge(judge, read_calibration(Path(part["calibration"]).expanduser()))
    return judge


def _given(part: Mapping[str, Any], embedder: Callable[[], Embedder]) -> list[Any]:
    """What the judge is given first."""
    if part.get("embedder"):
        return [embedder()]
    if "evidence" in part and not _reads_evidence(part):
        return []
    given: list[Any] = []
    if part.get("weights"):
        _check_place(part["weights"])
        obtained = weights.obtain(part["weights"])
        given = [obtained.folder, obtained.identity]
    if "evidence" in part:
        from evalkit.scoring.judges.evidence import GeneratorEvidence

        return [GeneratorEvidence(*given)]
    if part.get("chat"):
        return [call(make(part["chat"], "judge.chat"), "judge.chat", *given)]
    return given


def _check_place(place: Mapping[str, Any]) -> None:
    """A judge's weights are on this machine, while the model under test may be behind a server."""
    if place.get("source") == "server":
        name, url = place.get("model"), place.get("url")
        raise ConfigError(
            f"this judge reads weights on this machine, and judge.weights names the model {name!r}"
            f" on the server {without_credentials(str(url))}",
            todo="ask that server with judge=llm judge.chat.model=NAME judge.chat.base_url=URL, or"
            " give weights with judge.weights.source=hub judge.weights.id=ORG/NAME",
        )


def _reads_evidence(part: Mapping[str, Any]) -> bool:
    wanted = part["evidence"]
    if wanted not in (True, False, "auto"):
        raise ConfigError(f"judge.evidence is {wanted!r}, expected true, false or auto")
    return weights.at_hand(part["weights"]) if wanted == "auto" else bool(wanted)
