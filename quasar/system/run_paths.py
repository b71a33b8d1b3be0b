"""Where everything of a run lies: the only place that spells the names below a run's directory.

    runs/<name>/config.yaml        the resolved configuration
                README.md          the card of the trained model
                dataset/           train, validation and test problems, traces.jsonl
                model/initial      the starting model; model/final the trained one
                sft/, grpo/        checkpoints/, steps.jsonl (metrics), rollouts/, rescored/
                improve/           checkpoints/, steps.jsonl, rounds.jsonl (metrics), and for each
                                   round its problems and graded samples
                evaluation/        one directory for each model in the final table
                report.html        what came out, with figures/
                sweep-report/      of `quasar sweep`
                mlflow.db          tracking, unless another MLflow store is configured

Pure paths: nothing here reads or writes but `RunPaths.enclosing`, which looks for a run.
"""

from dataclasses import dataclass
from pathlib import Path

TRACKED_AS = "mlflow_run_id"  # the file that keeps the id of an MLflow run
DATASET_SUMMARY = "summary.json"
WEIGHTS = "huggingface"  # the model's directory within a checkpoint
_DEEPEST = 4  # of a model below its run: grpo/checkpoints/step-000012/huggingface


@dataclass(frozen=True, slots=True)
class PhasePaths:
    """One phase of training: `sft/`, `improve/` or `grpo/`."""

    directory: Path

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def steps(self) -> Path:
        """The step log: one JSON line a step."""
        return self.directory / "steps.jsonl"

    @property
    def rollouts(self) -> Path:
        return self.directory / "rollouts"

    def rollouts_of(self, step: int) -> Path:
        """The rollouts of one step."""
        return self.rollouts / f"step-{step:06d}.jsonl"

    def rescored_as(self, digest: str) -> Path:
        """Grades of the rollouts under another reward; digest: of what they depend on."""
        return self.directory / "rescored" / f"{digest}.jsonl"


@dataclass(frozen=True, slots=True)
class ImprovePaths(PhasePaths):
    """Self-improvement: `improve/`. Rounds count from 1."""

    @property
    def rounds(self) -> Path:
        """The log of rounds: one JSON line a round, 0 is before the first."""
        return self.directory / "rounds.jsonl"

    @property
    def validation(self) -> Path:
        """Fresh validation problems, the same for all rounds."""
        return self.directory / "validation.jsonl"

    def problems(self, number: int) -> Path:
        """Fresh problems of a round."""
        return self.directory / f"round-{number:03d}" / "problems.jsonl"

    def samples(self, number: int) -> Path:
        """A round's graded answers, one JSON line a problem; there once all are."""
        return self.directory / f"round-{number:03d}" / "samples.jsonl"


@dataclass(frozen=True, slots=True)
class EvaluationPaths:
    """What one evaluation leaves in its directory."""

    directory: Path

    @property
    def generations(self) -> Path:
        """The completions, where the run made them itself."""
        return self.directory / "generations.jsonl"

    @property
    def summary(self) -> Path:
        return self.directory / "summary.json"

    @property
    def report(self) -> Path:
        return self.directory / "report.html"

    @property
    def per_sample(self) -> Path:
        return self.directory / "per_sample.parquet"

    @property
    def figures(self) -> Path:
        return self.directory / "figures"

    @property
    def progress(self) -> Path:
        """There only while an evaluation is under way."""
        return self.directory / "progress.jsonl"


class RunPaths:
    """The paths of one run. directory: `<run.directory>/<run.name>`; it need not be there."""

    def __init__(self, directory: Path):
        self.directory = directory

    @classmethod
    def enclosing(cls, path: Path) -> "RunPaths | None":
        """The run that `path` is, or that the model directory `path` is a part of."""
        path = path.resolve()
        for directory in (path, *path.parents[:_DEEPEST]):
            run = cls(directory)
            if path == directory:
                found = not (path / "config.json").is_file()  # else it is a model itself
            else:
                found = path.relative_to(directory).parts[0] in run._models
            if found and run.config_file.is_file():
                return run
        return None

    @property
    def _models(self) -> set[str]:
        """Names of the entries that hold models."""
        phases = (self.sft, self.improve, self.grpo)
        return {self.final_model.parent.name, *(phase.directory.name for phase in phases)}

    @property
    def config_file(self) -> Path:
        """The resolved configuration that the run keeps."""
        return self.directory / "config.yaml"

    @property
    def card(self) -> Path:
        """Of the trained model: what it was trained on, its figures, how to serve it."""
        return self.directory / "README.md"

    @property
    def tracked_as_file(self) -> Path:
        """Keeps the id of the run's MLflow run."""
        return self.directory / TRACKED_AS

    @property
    def mlflow_database(self) -> Path:
        return self.directory / "mlflow.db"

    @property
    def dataset(self) -> Path:
        return self.directory / "dataset"

    @property
    def dataset_summary(self) -> Path:
        """There once the dataset is whole."""
        return self.dataset / DATASET_SUMMARY

    def split_file(self, name: str, file_format: str) -> Path:
        """The file of a split: train, validation or test."""
        return self.dataset / f"{name}.{file_format}"

    @property
    def traces(self) -> Path:
        """Corrected mistakes, where the configuration wants some."""
        return self.dataset / "traces.jsonl"

    @property
    def initial_model(self) -> Path:
        return self.directory / "model" / "initial"

    @property
    def final_model(self) -> Path:
        return self.directory / "model" / "final"

    @property
    def sft(self) -> PhasePaths:
        return PhasePaths(self.directory / "sft")

    @property
    def improve(self) -> ImprovePaths:
        return ImprovePaths(self.directory / "improve")

    @property
    def grpo(self) -> PhasePaths:
        return PhasePaths(self.directory / "grpo")

    @property
    def evaluation_problems(self) -> Path:
        """The held-out problems of the final table."""
        return self.directory / "evaluation" / "problems.jsonl"

    def evaluation(self, row: str) -> EvaluationPaths:
        """Of one row of the final table, e.g. "after SFT"."""
        name = row.replace(" ", "-").lower()
        return EvaluationPaths(self.directory / "evaluation" / name)

    @property
    def report(self) -> Path:
        return self.directory / "report.html"

    @property
    def figures(self) -> Path:
        return self.directory / "figures"

    @property
    def sweep_report(self) -> Path:
        return self.directory / "sweep-report"


def model_directory(path: Path) -> Path:
    """The trained model of a run where `path` is a run directory, else `path` itself."""
    trained = RunPaths(path).final_model
    return trained if (trained / "config.json").is_file() else path


def partial(path: Path) -> Path:
    """Where `path` is written until it is whole; copies of a run leave it out."""
    return path.with_name(path.name + ".partial")
