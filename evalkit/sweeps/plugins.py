"""Our sweepers and launchers under the names that Hydra knows them by."""

from __future__ import annotations


def plugins() -> dict[str, type]:
    """Our classes; Hydra makes sweepers and launchers only by names inside its own packages."""
    from evalkit.sweeps.launchers import OPTUNA, RAY
    from evalkit.sweeps.ray_launcher import RayLauncher
    from evalkit.sweeps.search import OptunaSweeper
    from evalkit.sweeps.sweeper import REPLACED, Sweep

    return {REPLACED: Sweep, OPTUNA: OptunaSweeper, RAY: RayLauncher}
