"""Sweeps with Ray Tune over any config values, reward coefficients above all.

Each trial is the GRPO Algorithm with other values at dotted config paths; Tune chooses and
schedules trials, restarts failed ones from their checkpoints, and logs each as an MLflow run under
the sweep's own.
"""

import hashlib
import math
import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.schedulers import AsyncHyperBandScheduler, PopulationBasedTraining, TrialScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator
from rich.progress import Progress, TaskID, TimeElapsedColumn

from quasar.config import QuasarConfig, with_overrides
from quasar.errors import ConfigError, TrainingError
from quasar.system.progress import make_bars
from quasar.training.rllib.grpo import GRPO, GRPOConfig
from quasar.verification.reward import ABLATIONS

# What a trial is judged by: quality measures that do not depend on the swept coefficients.
SHOWN = ("valid_fraction", "approximation_ratio", "optimum_probability", "reward")
JUDGED_BY = "approximation_ratio"
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {"ablation": ABLATIONS}
# Steps at a trial's end over which its metrics are averaged: one step is a noisy measure.
AVERAGED_STEPS = 10
_STORE = "MLFLOW_TRACKING_URI"  # of the environment
_RANGE = re.compile(r"\s*(?P<log>log:)?(?P<low>[-+.\deE]+)\s*\.\.\s*(?P<high>[-+.\deE]+)\s*")

SearchMethod = Literal["grid", "random"]
Scheduler = Literal["none", "asha", "pbt"]


@dataclass(frozen=True, slots=True)
class Range:
    """All numbers from low to high; uniform, or uniform in the logarithm."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def read(cls, text: str) -> "Range | None":
        """`0.1..0.9`, or `log:1e-5..1e-3`; None for anything else. ConfigError for an empty one."""
        match = _RANGE.fullmatch(text)
        if match is None:
            return None
        try:
            low, high = float(match["low"]), float(match["high"])
        except ValueError:
            return None
        if not low < high or (match["log"] and low <= 0):
            raise ConfigError(f"range {text!r}: write low..high, with 0 < low for a log: range")
        return cls(low, high, match["log"] is not None)


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """Which trials to run.

    space: dotted path -> the values to try, or a range (for a random search). points: named sets
    of values instead of a space. num_samples: repetitions of each point with another seed each;
    for a random search, the number of trials.
    """

    space: Mapping[str, Sequence[Any] | Range] = field(default_factory=dict)
    points: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    num_samples: int = 1
    search: SearchMethod = "grid"
    scheduler: Scheduler = "none"

    def check(self, config: QuasarConfig) -> None:
        """Every value is tried against the configuration. Raises ConfigError."""
        if bool(self.space) == bool(self.points):
            raise ConfigError(
                "sweep: give values to try, e.g. --param reward.weights.expectation=0,1, or one of "
                f"the presets {', '.join(PRESETS)}, and not both"
            )
        for path, values in self.space.items():
            if isinstance(values, Range):
                if self.search == "grid":
                    raise ConfigError(f"sweep: {path} is a range; add --search random")
                values = (values.low, values.high)
            for value in values:
                with_overrides(config, {path: value})
        for point in self.points.values():
            with_overrides(config, point)
        if self.scheduler == "pbt" and not self.space:
            raise ConfigError("sweep: population-based training needs --param; a preset is fixed")

    def overrides(self, seed: int) -> dict[str, Any]:
        """Tune's search space over the overrides of a trial."""
        if self.points:
            repeated = [
                {**point, "run.seed": seed + k}
                for k in range(self.num_samples)
                for point in self.points.values()
            ]
            return tune.grid_search(repeated)
        if self.search == "grid":
            # `check` has refused ranges.
            values = cast("Mapping[str, Sequence[Any]]", self.space)
            space = {path: tune.grid_search(list(v)) for path, v in values.items()}
            seeds = [seed + k for k in range(self.num_samples)]
            return space | {"run.seed": tune.grid_search(seeds)}
        return {path: _domain(values) for path, values in self.space.items()}

    @property
    def directory_name(self) -> str:
        """One directory a plan: another plan in the same run must not go on with this one's."""
        return f"sweep-{hashlib.sha256(repr(self).encode()).hexdigest()[:8]}"

    def name_of(self, values: Mapping[str, Any]) -> str:
        """The point's name, or the values themselves."""
        shown = {path: value for path, value in values.items() if path != "run.seed"}
        for name, point in self.points.items():
            if dict(point) == shown:
                return name
        return ", ".join(f"{path} = {_short(value)}" for path, value in shown.items())


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: the values it ran with, and means and standard errors of its last steps."""

    name: str
    values: Mapping[str, Any]
    steps: int
    metrics: Mapping[str, float]
    errors: Mapping[str, float]
    failure: str | None = None


def run_sweep(
    config: QuasarConfig,
    plan: SweepPlan,
    *,
    model_directory: Path,
    problems_file: Path,
    directory: Path,
    tracking_uri: str,
    parent_run_id: str,
) -> list[Trial]:
    """Run the trials of the plan and return them in order.

    Every value is validated before the first trial starts (ConfigError). Ray must be up. Results
    and checkpoints of the trials are kept under `directory`; a sweep that was interrupted there
    goes on. Each trial is an MLflow run, a child of `parent_run_id`, where MLflow is a tracker.
    """
    plan.check(config)
    random.seed(config.run.seed)  # population-based training draws from it
    name = plan.directory_name
    where = str(directory.resolve() / name)
    if tune.Tuner.can_restore(where):
        tuner = tune.Tuner.restore(where, GRPO, resume_unfinished=True, restart_errored=True)
    else:
        algorithm = GRPOConfig().run(
            config, model_directory=model_directory, problems_file=problems_file
        )
        algorithm.overrides = plan.overrides(config.run.seed)
        tuner = tune.Tuner(
            GRPO,
            param_space=algorithm,  # pyright: ignore[reportArgumentType]  # as RLlib documents
            tune_config=tune.TuneConfig(
                num_samples=plan.num_samples if plan.search == "random" else 1,
                search_alg=BasicVariantGenerator(random_state=config.run.seed),
                scheduler=_scheduler(config, plan),
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=str(directory.resolve()),
                stop={"training_iteration": config.grpo.iterations},
                failure_config=tune.FailureConfig(max_failures=1),
                checkpoint_config=tune.CheckpointConfig(
                    # Of a population, a trial that is copied must still have what is copied.
                    num_to_keep=3 if plan.scheduler == "pbt" else 1,
                    checkpoint_frequency=config.grpo.checkpoint_every,
                    checkpoint_at_end=True,
                ),
                callbacks=_callbacks(config, tracking_uri, parent_run_id),
                verbose=0,
            ),
        )
    trials = [_trial(result, plan) for result in tuner.fit()]
    if all(trial.failure for trial in trials):
        raise TrainingError(f"sweep: every trial failed; first: {trials[0].failure}")
    return trials


def _callbacks(config: QuasarConfig, tracking_uri: str, parent_run_id: str) -> list[tune.Callback]:
    """What is told of the trials; TensorBoard files are written by Tune itself."""
    progress = TrialProgress(config.grpo.iterations)
    if "mlflow" not in config.tracking.backends:
        return [progress]
    runs = TrialRuns(
        tracking_uri=tracking_uri,
        experiment_name=config.tracking.experiment,
        tags={"mlflow.parentRunId": parent_run_id},
    )
    return [runs, progress]


class TrialRuns(MLflowLoggerCallback):
    """Each trial as an MLflow run. A trial that begins again, by population-based training with
    other values, goes on in its run, whose parameters are those that it first began with; the
    values of each step are metrics."""

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """MLflow would name the store to all that this process does and starts later."""
        before = os.environ.get(_STORE)
        super().setup(*args, **kwargs)
        os.environ.pop(_STORE, None)
        if before is not None:
            os.environ[_STORE] = before

    def log_trial_start(self, trial: Any) -> None:
        if trial not in self._trial_runs:
            super().log_trial_start(trial)

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        values = trial.config.get("overrides", {})
        moving = {
            f"swept/{path}": value for path, value in values.items() if isinstance(value, float)
        }
        super().log_trial_result(iteration, trial, result | moving)


class TrialProgress(tune.Callback):
    """A bar for each trial, on standard error. Picklable, as Tune wants its callbacks."""

    def __init__(self, iterations: int):
        self.iterations = iterations
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"iterations": self.iterations, "_bars": None, "_tasks": {}}

    def on_trial_start(self, iteration, trials, trial, **info) -> None:
        if self._bars is None:
            self._bars = make_bars(TimeElapsedColumn())
            self._bars.start()
        if trial.trial_id not in self._tasks:
            self._tasks[trial.trial_id] = self._bars.add_task(
                f"trial {len(self._tasks) + 1}", total=self.iterations
            )

    def on_trial_result(self, iteration, trials, trial, result, **info) -> None:
        assert self._bars is not None  # made at the start of the first trial
        self._bars.update(
            self._tasks[trial.trial_id], completed=result.get("training_iteration", 0)
        )

    def on_trial_error(self, iteration, trials, trial, **info) -> None:
        assert self._bars is not None
        task = self._tasks[trial.trial_id]
        self._bars.update(task, description=f"trial {task + 1} failed")

    def on_experiment_end(self, trials, **info) -> None:
        if self._bars is not None:
            self._bars.stop()


def _scheduler(config: QuasarConfig, plan: SweepPlan) -> TrialScheduler | None:
    """ASHA stops the worse half of the trials at a quarter and at half of the steps (arXiv
    1810.05934); population-based training copies the better ones and moves their values (arXiv
    1711.09846). Both judge by a measure that does not depend on the coefficients.
    """
    judged: dict[str, Any] = {
        "time_attr": "training_iteration",
        "metric": f"quasar/{JUDGED_BY}",
        "mode": "max",
    }
    if plan.scheduler == "asha":
        grace = max(1, config.grpo.iterations // 4)
        return AsyncHyperBandScheduler(
            max_t=config.grpo.iterations, grace_period=grace, reduction_factor=2, **judged
        )
    if plan.scheduler == "pbt":
        # Of a list a neighbouring value is taken, of a range another one near the old.
        mutations = {
            path: _domain(values) if isinstance(values, Range) else list(values)
            for path, values in plan.space.items()
        }
        return PopulationBasedTraining(
            perturbation_interval=config.grpo.checkpoint_every,
            hyperparam_mutations={"overrides": mutations},
            custom_explore_fn=partial(_kept_in_range, plan.space),
            synch=True,  # who is copied does not depend on who is faster
            **judged,
        )
    return None


def _kept_in_range(
    space: Mapping[str, Sequence[Any] | Range], trial: dict[str, Any]
) -> dict[str, Any]:
    """A trial's settings with each moved value back in its range."""
    moved = {
        path: min(max(trial["overrides"][path], values.low), values.high)
        for path, values in space.items()
        if isinstance(values, Range)
    }
    return trial | {"overrides": trial["overrides"] | moved}


def _domain(values: Sequence[Any] | Range) -> Any:
    if not isinstance(values, Range):
        return tune.choice(list(values))
    return (tune.loguniform if values.log else tune.uniform)(values.low, values.high)


def _trial(result: Any, plan: SweepPlan) -> Trial:
    values = dict(result.config["overrides"]) if result.config else {}
    history = result.metrics_dataframe
    metrics, errors, steps = {}, {}, 0
    if history is not None:
        # A trial that was restored has the steps after its checkpoint twice.
        history = history.drop_duplicates("training_iteration", keep="last")
        steps = len(history)
        for name in SHOWN:
            column = f"quasar/{name}"
            if column in history:
                last = history[column].dropna().to_numpy(float)[-AVERAGED_STEPS:]
                metrics[name] = float(last.mean())
                errors[name] = (
                    float(last.std(ddof=1) / math.sqrt(last.size)) if last.size > 1 else 0.0
                )
    failure = str(result.error).strip().splitlines()[-1] if result.error else None
    return Trial(plan.name_of(values), values, steps, metrics, errors, failure)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
