"""Finished run folders in MLflow. What happens here never costs a run."""

from evalkit.tracking.log import Logged, log_run
from evalkit.tracking.store import TrackingError, ensure_experiment

__all__ = ["Logged", "TrackingError", "ensure_experiment", "log_run"]
