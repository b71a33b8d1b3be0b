"""Sweeps with Ray Tune over any config values, reward coefficients above all.

Each trial is the GRPO Algorithm with other values at dotted config paths; Tune schedules trials,
restarts failed ones from their checkpoints, and logs each as an MLflow run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback

from quasar.config import QuasarConfig, with_overrides
from quasar.errors import ConfigError, TrainingError
from quasar.learning.grpo import GRPO, GRPOConfig

# What a trial is judged by: quality measures that do not depend on the swept coefficients.
SHOWN = ("valid_fraction", "approximation_ratio", "optimum_probability", "reward")


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: the values it ran with and its last step's metrics (empty if it failed)."""

    values: Mapping[str, Any]
    metrics: Mapping[str, float]
    error: str | None


def run_sweep(
    config: QuasarConfig,
    *,
    space: Mapping[str, Sequence[Any]],
    num_samples: int,
    model_directory: Path,
    problems_file: Path,
    directory: Path,
    tracking_uri: str,
) -> list[Trial]:
    """Run the grid over `space` (`num_samples` times each point) and return its trials.

    Every value is validated before the first trial starts (ConfigError). Ray must be up. Results
    and checkpoints of the trials are kept under `directory`.
    """
    if not space:
        raise ConfigError(
            "sweep: nothing to sweep; give e.g. --param reward.weights.expectation=0,1"
        )
    for path, values in space.items():
        for value in values:
            with_overrides(config, {path: value})
    algorithm = GRPOConfig().run(
        config, model_directory=model_directory, problems_file=problems_file
    )
    algorithm.overrides = {path: tune.grid_search(list(v)) for path, v in space.items()}
    tuner = tune.Tuner(
        GRPO,
        param_space=algorithm,
        tune_config=tune.TuneConfig(num_samples=num_samples),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=str(directory.resolve()),
            stop={"training_iteration": config.grpo.iterations},
            failure_config=tune.FailureConfig(max_failures=1),
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=1,
                checkpoint_frequency=config.grpo.checkpoint_every,
                checkpoint_at_end=True,
            ),
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=tracking_uri,
                    experiment_name=f"{config.tracking.experiment}-sweep",
                )
            ],
            verbose=1,
        ),
    )
    results = tuner.fit()
    trials = [_trial(result) for result in results]
    if all(trial.error for trial in trials):
        raise TrainingError(f"sweep: every trial failed; first: {trials[0].error}")
    return trials


def _trial(result: Any) -> Trial:
    values = dict(result.config["overrides"]) if result.config else {}
    logged = (result.metrics or {}).get("quasar", {})
    metrics = {name: float(logged[name]) for name in SHOWN if name in logged}
    error = str(result.error).strip().splitlines()[-1] if result.error else None
    return Trial(values, metrics, error)
