"""Who answers the problems of a set: a checkpoint, a model behind a server, or a baseline.

Answers are kept one by one in a log beside the result while they are drawn: an interrupted call
goes on with what is missing.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from quasar.config import QuasarConfig
from quasar.episodes.answers import answer_tasks, answering
from quasar.episodes.generate import remote_fingerprint, setting_fingerprint, verifier_of_turns
from quasar.episodes.remote import answer_remotely, remote_engine
from quasar.errors import InputError
from quasar.evaluation.bench.baselines import baseline_answers, names_for
from quasar.evaluation.bench.result import BenchModel, TokensTaken
from quasar.evaluation.bench.sets import ProblemSet
from quasar.policy.engines.loading import load_engine
from quasar.system.progress import progress_bar
from quasar.system.resumable import RowLog, model_digest

Answers = list[list[str]]


class Answerer(Protocol):
    """Answers the problems of one set after the other."""

    @property
    def model(self) -> BenchModel:
        """What it is, for the result."""
        ...

    def answer(
        self, problems: ProblemSet, *, samples: int, log: Path, progress: bool
    ) -> tuple[Answers, TokensTaken | None]:
        """So many answers to each problem, in order. log: where they are kept meanwhile."""
        ...

    def close(self) -> None:
        """End what it started."""
        ...


class CheckpointAnswerer:
    """A model on this machine, as its run's configuration asks it."""

    def __init__(self, source: str | Path, name: str, config: QuasarConfig):
        """Loads nothing yet. name: for the table."""
        self._source, self._config = source, config
        self._digest = model_digest(source)
        self._name, self._stack = name, ExitStack()
        self._runner = None

    @property
    def model(self) -> BenchModel:
        return BenchModel(kind="checkpoint", name=self._name, digest=self._digest)

    def answer(
        self, problems: ProblemSet, *, samples: int, log: Path, progress: bool
    ) -> tuple[Answers, TokensTaken | None]:
        tasks = answer_tasks(problems.records, samples=samples, config=self._config)
        fingerprint = {
            "model": self._digest,
            "set": problems.digest,
            "samples": samples,
            **setting_fingerprint(self._config),
        }
        with RowLog(log, fingerprint) as rows:
            runner = self._loaded()
            size = self._config.generation.batch_size
            with progress_bar(
                problems.name, len(tasks), done=rows.num_done, show=progress
            ) as advance_to:
                for start in range(rows.num_done, len(tasks), size):
                    chunk = tasks[start : start + size]
                    for text in runner.answers(chunk):
                        rows.add({"text": text})
                    advance_to(start + len(chunk))
            return _grouped([row["text"] for row in rows.rows()], samples), None

    def close(self) -> None:
        self._stack.close()

    def _loaded(self):
        if self._runner is None:
            from quasar.policy.models import pick_device
            from quasar.policy.preflight import require_policy

            config = self._config
            require_policy(self._source, config, turns=config.generation.max_turns)
            device = pick_device(config.cluster.accelerator)
            engine = load_engine(self._source, config, device=device)
            verify = self._stack.enter_context(verifier_of_turns(config))
            self._runner = answering(engine, verify, config)
        return self._runner


class EndpointAnswerer:
    """A model behind an OpenAI-compatible server (`config.remote`)."""

    def __init__(self, config: QuasarConfig):
        self._config, self._stack = config, ExitStack()
        self._engine = self._stack.enter_context(remote_engine(config))
        self._verify = self._stack.enter_context(verifier_of_turns(config))

    @property
    def model(self) -> BenchModel:
        return BenchModel(kind="endpoint", name=self._engine.name)

    def answer(
        self, problems: ProblemSet, *, samples: int, log: Path, progress: bool
    ) -> tuple[Answers, TokensTaken | None]:
        tasks = answer_tasks(problems.records, samples=samples, config=self._config)
        fingerprint = {
            **remote_fingerprint(self._config),
            "set": problems.digest,
            "samples": samples,
        }
        with RowLog(log, fingerprint) as rows:
            texts, used = answer_remotely(
                self._engine,
                tasks,
                rows,
                verify=self._verify,
                config=self._config,
                progress=progress,
            )
        taken = TokensTaken(
            read=used.read,
            written=used.written,
            requests=used.requests,
            cost=used.cost(self._config.remote),
        )
        return _grouped(texts, samples), taken

    def close(self) -> None:
        self._stack.close()


class BaselineAnswerer:
    """A baseline by name."""

    def __init__(self, name: str, config: QuasarConfig):
        self._name, self._seed = name, config.run.seed

    @property
    def model(self) -> BenchModel:
        return BenchModel(kind="baseline", name=self._name)

    def answer(
        self, problems: ProblemSet, *, samples: int, log: Path, progress: bool
    ) -> tuple[Answers, TokensTaken | None]:
        found = baseline_answers(self._name, problems, samples=samples, seed=self._seed)
        if not any(found):
            raise InputError(
                f"baseline {self._name!r} answers no problem of {problems.name}; others: "
                + ", ".join(name for name in names_for(problems.task) if name != self._name)
            )
        return found, None

    def close(self) -> None:
        """Nothing."""


def _grouped(texts: list[str], samples: int) -> Answers:
    return [texts[i : i + samples] for i in range(0, len(texts), samples)]
