"""GRPO as an RLlib Algorithm: the training step on one page.

RLlib gives the shell (Tune trainable, placement, actor restart, checkpoints, metrics); what is
learned is in the plain modules beside this one. One step: sample → verify → reward → advantage →
update → sync. Groups are complete or absent; a fault is never a grade.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core import COMPONENT_LEARNER_GROUP
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.utils.checkpoints import Checkpointable
from ray.tune import PlacementGroupFactory
from ray.util.placement_group import get_current_placement_group

from quasar.config import QuasarConfig, with_overrides
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.fresh import FreshLike
from quasar.datasets.io import read_records
from quasar.datasets.task_records import Record
from quasar.episodes.episode import Episode
from quasar.errors import ConfigError, TrainingError
from quasar.policy.preflight import require_teacher
from quasar.policy.program_form import tell_unconstrained
from quasar.runtime import MAIN_PROCESS_CPUS, on_nodes
from quasar.system.run_paths import WEIGHTS
from quasar.tasks.base import task_of
from quasar.training.algorithm.batch import TrainingBatch, assign, episode_metrics
from quasar.training.algorithm.schedules import grpo_rate
from quasar.training.capacity.usage import object_store_bytes, rss_bytes
from quasar.training.examples import prompt_fits
from quasar.training.learner.deepspeed import Objective
from quasar.training.rllib.collector import RolloutCollector
from quasar.training.rllib.group import DeepSpeedLearner, PlaceholderModule, PolicyLearnerGroup
from quasar.training.rllib.runner import RolloutRunner
from quasar.training.rllib.source import RolloutSource, StepRollouts
from quasar.training.rllib.weights_board import WeightsBoard
from quasar.training.state import RunState
from quasar.verification.execution.pool import VerifierPool


class GRPOConfig(AlgorithmConfig):
    """RLlib's view of a run: our configuration tree, the starting model, the training problems."""

    def __init__(self, algo_class=None):
        super().__init__(algo_class=algo_class or GRPO)
        self.quasar: QuasarConfig = QuasarConfig()
        self.model_directory: str = ""
        self.problems_file: str = ""
        self.keep_reference: bool = False
        self.teacher: str | None = None
        # Dotted config path -> value, applied over `quasar`: Tune's search space goes here.
        self.overrides: dict[str, Any] = {}

    def run(
        self, config: QuasarConfig, *, model_directory: Path | str, problems_file: Path | str
    ) -> "GRPOConfig":
        """Set everything from our configuration. problems_file: the prompts of the rollouts."""
        self.problems_file = str(problems_file)
        self.keep_reference = config.grpo.kl_coefficient > 0
        self.teacher = config.grpo.distillation.teacher
        return self._resources(config, model_directory)

    def supervised(self, config: QuasarConfig, *, model_directory: Path | str) -> "GRPOConfig":
        """The same for the learners of supervised training alone: no problems, no rollouts, no
        reference model, no teacher.
        """
        self.keep_reference, self.teacher = False, None
        return self._resources(config, model_directory)

    def _resources(self, config: QuasarConfig, model_directory: Path | str) -> "GRPOConfig":
        self.quasar = config
        self.model_directory = str(model_directory)
        nothing = gym.spaces.Discrete(1)
        self.environment(observation_space=nothing, action_space=nothing, disable_env_checking=True)
        self.env_runners(
            env_runner_cls=RolloutRunner,
            num_env_runners=config.rollout.num_workers,
            # RLlib declares whole numbers and takes shares.
            num_cpus_per_env_runner=config.rollout.cpus_per_worker,  # pyright: ignore[reportArgumentType]
            num_gpus_per_env_runner=config.rollout.gpus_per_worker,
            custom_resources_per_env_runner=on_nodes(config.rollout.nodes),
            create_local_env_runner=False,
            sample_timeout_s=config.rollout.timeout_s,
        )
        self.learners(
            num_learners=config.learner.num_learners,
            num_cpus_per_learner=config.learner.cpus_per_learner,
            num_gpus_per_learner=config.learner.gpus_per_learner,
            custom_resources_per_learner=on_nodes(config.learner.nodes),
        )
        self.num_cpus_for_main_process = MAIN_PROCESS_CPUS
        self.fault_tolerance(
            restart_failed_env_runners=True, delay_between_env_runner_restarts_s=1.0
        )
        # Nothing but weights goes to the workers, and those go by RolloutCollector.publish.
        self.merge_env_runner_states = False
        self.broadcast_env_runner_states = False
        self.debugging(seed=config.run.seed, log_level="ERROR")
        return self

    def get_default_learner_class(self):
        return DeepSpeedLearner

    def get_default_rl_module_spec(self):
        return RLModuleSpec(module_class=PlaceholderModule)

    def build_learner_group(
        self, *, env=None, spaces=None, rl_module_spec=None, placement_group=None
    ):
        spec = rl_module_spec or self.get_multi_rl_module_spec(env=env, spaces=spaces)
        return PolicyLearnerGroup(
            config=self.copy(), module_spec=spec, placement_group=placement_group
        )

    def validate(self) -> None:
        """Apply the overrides; refuse attributes that RLlib would take silently (a typo)."""
        if self.overrides:
            self.run(
                with_overrides(self.quasar, self.overrides),
                model_directory=self.model_directory,
                problems_file=self.problems_file,
            )
        super().validate()
        known = {"class", *vars(GRPOConfig())}  # RLlib itself adds "class", Tune "__stdout_file__"
        unknown = [n for n in vars(self) if n not in known and not n.startswith("__")]
        if unknown:
            raise ConfigError(
                f"unknown algorithm settings {unknown}; use overrides={{path: value}}"
            )


class GRPO(Algorithm):
    """Group-relative policy optimisation with the verification tool as environment."""

    config: GRPOConfig
    learner_group: PolicyLearnerGroup

    @classmethod
    def get_default_config(cls) -> GRPOConfig:
        return GRPOConfig()

    def setup(self, config: GRPOConfig) -> None:
        """The verifier pool, then learners and rollout workers (RLlib); weights to all workers."""
        settings = self.settings = self.config.quasar
        # Read before anything is started for it.
        self.records = read_records(
            self.config.problems_file, max_qubits=settings.verification.max_qubits
        )
        tell_unconstrained(self.records, settings)
        if self.config.teacher is not None:
            require_teacher(self.config.teacher, self.config.model_directory)
        # Of graph problems alone there is one task, and its figures are those of all.
        self.by_task = any(task_of(record.problem) != GRAPH_TASK for record in self.records)
        # First, because RLlib lets learners take any bundle: those of the others must be taken.
        self.verifiers = VerifierPool(
            settings.verification,
            settings.reward.formula,
            first_bundle=_first_verifier_bundle(settings.verification.num_workers),
        )
        super().setup(self.config)
        self.begin(
            RolloutCollector(
                self.env_runner_group,
                verifiers=self.verifiers.handles(),
                timeout_s=settings.rollout.timeout_s,
                max_attempts=settings.rollout.max_attempts,
                board=WeightsBoard.remote() if settings.grpo.staleness else None,
            )
        )

    def begin(self, collector: RolloutCollector) -> None:
        """The state of a run, whose actors are there; weights to all workers."""
        settings, self.collector = self.settings, collector
        fresh = None
        if settings.grpo.fresh:
            fits = prompt_fits(settings, self.config.model_directory)
            fresh = FreshLike(settings, fits=fits)
        self.source = RolloutSource(self.records, settings, self.collector, fresh=fresh)
        self.objective = Objective("grpo", settings.generation.temperature, settings.grpo)
        self.run_state = RunState("grpo", seed=settings.run.seed)
        # Of the last step, for whoever writes them down.
        self.episodes: list[Episode] = []
        self.advantages: list[float] = []
        self.trained_version = 0  # of the weights that learned from them
        self.last_metrics: dict[str, float] = {}
        self.learner_group.preflight(settings.generation.max_context_tokens, self.objective)
        self.publish()
        # What is loaded now stays: else the garbage collector walks all of it, torch included,
        # again and again while rollouts are read, which takes longer than reading them.
        gc.collect()
        gc.freeze()

    def training_step(self) -> None:
        """One update, on rollouts of the current weights, or of up to `grpo.staleness` before."""
        settings, state = self.settings.grpo, self.run_state
        seconds: dict[str, float] = {}
        with _timed(seconds, "rollout"):
            sampled = self.source.take(state.step, state.position)
        batch = assign(
            sampled.episodes,
            weights_version=state.weights_version,
            settings=settings,
            reward=self.settings.reward,
            max_response_tokens=self.settings.generation.max_response_tokens,
        )
        self._require_health(batch)
        self.trained_version = state.weights_version
        self.source.run_ahead(state.step, sampled.following)
        update: dict[str, float] = {}
        if batch.sequences:
            with _timed(seconds, "update"):
                update = self.learner_group.update_policy(
                    batch.sequences,
                    objective=self.objective,
                    learning_rate=grpo_rate(settings, state.step),
                    num_updates=settings.updates_per_batch,
                )
            self._require_agreement(update["sampler_kl"])
            state.weights_version += 1
            with _timed(seconds, "sync"):
                self.publish()
        state.step += 1
        state.move_to(sampled.following)
        self.episodes, self.advantages = sampled.episodes, batch.advantages.tolist()
        self._record(sampled, batch, update, seconds)

    def complete(self, records: Sequence[Record], *, samples: int) -> list[list[str]]:
        """`samples` answers of the current weights to each problem, as `quasar generate` draws
        them; by the rollout workers, once they have ended what they are at."""
        with self.source.paused():
            self.collector.revive()
            return self.collector.complete(records, samples=samples)

    def publish(self) -> None:
        """Give the learners' weights to all workers."""
        self.collector.publish(self.learner_group.publish(), self.run_state.weights_version)

    def _require_agreement(self, sampler_kl: float) -> None:
        """Stop where the learner does not recognise what it is said to have sampled."""
        settings, policy = self.settings.grpo, self.settings.policy
        if sampler_kl <= settings.max_sampler_kl:
            return
        if settings.staleness:
            cause = "the updates between them move the policy too far: lower grpo.learning_rate "
            cause += f"or grpo.staleness (now {settings.staleness})"
        elif policy.dtype != "float32":
            cause = f"sampler and learner round differently in {policy.dtype}: see "
            cause += "whether it goes away in a new run with policy.dtype=float32"
        else:
            cause = (
                "rollout workers hold other weights, or score tokens otherwise, than the learner"
            )
        raise TrainingError(
            f"step {self.run_state.step}: KL of sampler and learner is {sampler_kl:.3g} nats "
            f"a token (limit grpo.max_sampler_kl = {settings.max_sampler_kl:g}); {cause}"
        )

    def _require_health(self, batch: TrainingBatch) -> None:
        """Stop with a clear message rather than learn from too little."""
        settings, state = self.settings.grpo, self.run_state
        if batch.failed_fraction > settings.max_failed_fraction:
            raise TrainingError(
                f"step {state.step}: {batch.failed_fraction:.0%} of the verifications failed "
                f"(limit grpo.max_failed_fraction = {settings.max_failed_fraction:.0%}); most "
                f"often {batch.main_failure}"
            )
        state.empty_steps = 0 if batch.sequences else state.empty_steps + 1
        if state.empty_steps >= settings.max_empty_steps:
            raise TrainingError(
                f"step {state.step}: {state.empty_steps} steps in a row in which all rewards of "
                "each group were equal; raise generation.temperature or grpo.samples_per_prompt"
            )

    def _record(self, sampled: StepRollouts, batch, update, seconds) -> None:
        tokens = sum(e.counts.response for e in sampled.episodes)
        self.last_metrics = {
            **episode_metrics(sampled.episodes, by_task=self.by_task),
            **update,
            "learning_rate": grpo_rate(self.settings.grpo, self.run_state.step - 1),
            "weights_version": self.run_state.weights_version,
            "failed_fraction": batch.failed_fraction,
            "flat_group_fraction": batch.flat_fraction,
            "overlong_penalty": batch.overlong_penalty,
            **batch.token_ages,
            "verifier_restarts": self.verifiers.stats().restarts,
            "tokens_per_s": tokens / max(sum(seconds.values()), 1e-9),
            **sampled.metrics(),
            **{f"seconds/{k}": v for k, v in seconds.items()},
            **self._memory(),
        }
        for name, value in self.last_metrics.items():
            self.metrics.log_value(("quasar", name.replace("/", "_")), value, window=1)

    def _memory(self) -> dict[str, float]:
        """MiB now: the largest actor of each kind, this process, and Ray's object store."""
        sizes = {
            "driver": rss_bytes(),
            "learner": max(self.learner_group.rss_bytes()),
            "rollout_worker": max(self.collector.rss_bytes(), default=0),
            "object_store": object_store_bytes(),
        }
        return {
            f"memory_mib/{name}": size / 2**20 for name, size in sizes.items() if size is not None
        }

    # Checkpoints and failures --------------------------------------------------------------------

    def restore_env_runners(self, env_runner_group) -> list[int]:
        """Done by RolloutCollector.revive, which also sends the weights."""
        return []

    def get_state(self, *args, **kwargs) -> dict[str, Any]:
        return {
            "run_state": asdict(self.run_state),
            "training_iteration": self.training_iteration,
            COMPONENT_LEARNER_GROUP: {},  # writes itself, see PolicyLearnerGroup.save_to_path
        }

    def get_checkpointable_components(self):
        """The learners; workers hold nothing that the learners do not."""
        return [(COMPONENT_LEARNER_GROUP, self.learner_group)]

    def set_state(self, state: dict[str, Any]) -> None:
        self.run_state = RunState(**state["run_state"])
        self._iteration = state["training_iteration"]

    def save_to_path(self, path=None, **kwargs) -> str:
        """RLlib's layout, plus `huggingface/`: a model directory that any loader reads."""
        written = super().save_to_path(path, **kwargs)
        learner = Path(written) / "learner_group" / WEIGHTS
        if not (learner / "config.json").is_file():
            raise TrainingError(f"{written}: the learners wrote no checkpoint; is the disk full?")
        learner.rename(Path(written) / WEIGHTS)
        return written

    def restore_from_path(self, path, **kwargs) -> None:
        """Run state and learners from `path`, then the weights to all workers."""
        self.source.forget()
        Checkpointable.restore_from_path(self, path, **kwargs)
        self.publish()

    def cleanup(self) -> None:
        if hasattr(self, "source"):
            self.source.close()
        super().cleanup()
        if hasattr(self, "verifiers"):
            self.verifiers.close()
        gc.unfreeze()

    @classmethod
    def default_resource_request(cls, config) -> PlacementGroupFactory:
        """Tune reserves what RLlib counts, plus one bundle for each verifier."""
        stock = super().default_resource_request(config)
        assert isinstance(stock, PlacementGroupFactory)
        verification = config["quasar"].verification
        bundle = {"CPU": verification.cpus_per_worker, "GPU": verification.gpus_per_worker}
        bundle |= on_nodes(verification.nodes)
        return PlacementGroupFactory(
            stock.bundles + [bundle] * verification.num_workers, strategy=stock.strategy
        )


def _first_verifier_bundle(num_workers: int) -> int:
    """Its index in the trial's placement group (`GRPO.default_resource_request`); -1 in none."""
    group = get_current_placement_group()
    return -1 if group is None else group.bundle_count - num_workers


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - started
