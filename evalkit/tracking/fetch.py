"""Bring the files of a run back from MLflow, for a gate or a report on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.secrets import Redactor, without_credentials
from evalkit.tracking.store import TrackingError, as_tracking_errors, mlflow_settings, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

NEEDED = ("results.json", "scores.parquet")
WANTED = ("config.yaml", "questions.json")
_TIMEOUT_S = 60


def fetch_run(run_id: str, folder: Path, uri: str | None = None) -> Path:
    """Download what :func:`evalkit.tracking.log_run` sent of a run folder.

    Args:
        run_id: The parent run of a comparison.
        folder: An existing folder to put the files in.
        uri: See :func:`~evalkit.tracking.store.tracking_uri`.

    Returns:
        ``folder``, which can be opened as a run.

    Raises:
        TrackingError: No such run, a run that evalkit did not log, or a store out of reach.
    """
    store = tracking_uri(uri)
    with (
        as_tracking_errors(store, Redactor.collect(), None, doing="read from"),
        mlflow_settings(_TIMEOUT_S, retries=1),
    ):
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=store)
        present = _files(client, run_id, without_credentials(store))
        for name in (*NEEDED, *WANTED):
            if name in present:
                client.download_artifacts(run_id, name, str(folder))
    return folder


def _files(client: MlflowClient, run_id: str, store: str) -> set[str]:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise TrackingError(
            f"there is no run {run_id}, neither as a folder nor in the tracking store {store}",
            todo="give a run folder, or name the store with --uri or MLFLOW_TRACKING_URI",
        ) from None
    present = {str(file.path) for file in client.list_artifacts(run_id)}
    if missing := [name for name in NEEDED if name not in present]:
        parent = run.data.tags.get("mlflow.parentRunId")
        raise TrackingError(
            f"the MLflow run {run_id} holds no {' and no '.join(missing)}",
            todo=f"give its parent, {parent}: a pipeline's run holds numbers only"
            if parent
            else "give the parent run of a comparison that evalkit logged",
        )
    return present
