"""Sweeps: the jobs of one folder, run by any launcher, resumed where they stopped.

::

    SWEEP_DIR/sweep.json         what was swept, and every job: assembled from jobs/, which can be
                                 restored from it
    SWEEP_DIR/jobs/head.json     what was swept, and how it was begun
    SWEEP_DIR/jobs/N.json        one job: its overrides, key, status, reason, objective
    SWEEP_DIR/jobs/N.log         where a job broke, with its traceback
    SWEEP_DIR/jobs/N.lock        held by the process that runs the job
    SWEEP_DIR/N/                 its run
    SWEEP_DIR/multirun.yaml      the configuration that all jobs share, without secrets
    SWEEP_DIR/optuna.db          a search's trials
"""
