"""The rollout actor: an RLlib EnvRunner that holds a generation engine and the loop of turns.

Invariant: every episode is begun with the weights of the version that is asked for; a worker that
came back holds none until it is sent them, and says so with `Stale`. Where rollouts run ahead of
the learners (`grpo.staleness`), it goes on with newer weights as soon as there are some.
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner

from quasar.datasets.task_records import Record
from quasar.episodes.answers import answer, answering, unshared
from quasar.episodes.episode import Episode
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.errors import EngineError
from quasar.policy.engines.loading import load_engine
from quasar.policy.models import pick_device
from quasar.policy.sequence import TokenSequence
from quasar.training.capacity.usage import rss_bytes
from quasar.training.rllib.weights_board import BoardReader, as_tensors
from quasar.verification.execution.pool import VerifierClient

if TYPE_CHECKING:
    from quasar.training.rllib.grpo import GRPOConfig

NO_WEIGHTS = -1


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker made of its tasks."""

    episodes: list[Episode]  # without their tokens
    seconds: dict[str, float]  # by phase: generate, verify
    weights_version: int  # that the worker holds at the end
    rss_bytes: int  # of its process


@dataclass(frozen=True, slots=True)
class WorkerFault:
    """An exception in a worker, as a value (raised, RLlib would restart the actor for ever)."""

    message: str
    trace: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A worker does not hold the weights it was asked to use: it has restarted since it got them.

    No fault of the run: it is sent them again, and its share is made again.
    """

    held: int
    wanted: int


class RolloutRunner(EnvRunner):
    """An RLlib EnvRunner whose environment is the verification tool."""

    config: "GRPOConfig"

    def __init__(self, *, config: "GRPOConfig", **kwargs):
        super().__init__(config=config, **kwargs)
        settings = config.quasar
        device = pick_device(settings.cluster.accelerator)
        if device == "cpu":
            torch.set_num_threads(settings.rollout.torch_threads)
        self.engine = load_engine(config.model_directory, settings, device=device)
        self.weights_version = NO_WEIGHTS
        self.training: EpisodeRunner | None = None
        self.answering: EpisodeRunner | None = None

    def receive(
        self,
        *,
        weights: list[ray.ObjectRef],
        version: int,
        verifiers: list[ray.ObjectRef],
        board: Any = None,
    ) -> int:
        """Take weights of `version` and the verifier pool's handles, a reference to either in a
        list; returns the version held.

        board: a WeightsBoard with newer weights; None: rollouts wait for the learners.
        """
        self.engine.load_weights(as_tensors(weights))
        settings = self.config.quasar
        handles = ray.get(verifiers[0])
        client = VerifierClient(handles, settings.verification)
        self.training = EpisodeRunner(
            self.engine,
            verifying(client.verify, settings.reward, settings.generation),
            generation=settings.generation,
            newer=None if board is None else BoardReader(board, version).newer,
        )
        alone = VerifierClient(handles, unshared(settings.verification))
        self.answering = answering(self.engine, alone.verify, settings)
        self.weights_version = version
        return version

    def collect(
        self, *, tasks: Sequence[EpisodeTask], version: int
    ) -> tuple[Share | Stale | WorkerFault, list[TokenSequence]]:
        """Make the episodes of `tasks`, from the weights of `version` on, which must be held.

        Their tokens apart, so that they may stay where they are until a learner asks for them.
        """
        if self.weights_version != version or self.training is None:
            return Stale(self.weights_version, version), []
        try:
            episodes = self.training.run(tasks, weights_version=version)
            self.weights_version = self.training.weights_version
        except EngineError:  # RLlib ends the process, whose engine is of no use, and begins another
            raise
        except Exception as error:
            return WorkerFault(f"{type(error).__name__}: {error}", traceback.format_exc()), []
        heads = [replace(e, tokens=None) for e in episodes]
        seconds = self.training.take_seconds()
        share = Share(heads, seconds, self.weights_version, rss_bytes())
        return share, [e.tokens for e in episodes]

    def complete(
        self, *, records: Sequence[Record], samples: int, version: int
    ) -> list[list[str]] | Stale | WorkerFault:
        """`samples` answers to each problem, drawn as `quasar generate` draws them."""
        if self.weights_version != version or self.answering is None:
            return Stale(self.weights_version, version)
        try:
            return answer(self.answering, records, samples=samples, config=self.config.quasar)
        except EngineError:
            raise
        except Exception as error:
            return WorkerFault(f"{type(error).__name__}: {error}", traceback.format_exc())

    # What RLlib asks of an EnvRunner -----------------------------------------------------------

    def sample(self, **kwargs):
        """Rollouts are asked for with `collect`, which names their tasks and weights."""
        raise NotImplementedError

    def get_spaces(self):
        """RLlib's spaces; token sequences are not in them."""
        spaces = (self.config.observation_space, self.config.action_space)
        return {INPUT_ENV_SPACES: spaces, DEFAULT_MODULE_ID: spaces}

    def assert_healthy(self):
        """A runner with a model is healthy."""
        assert self.engine is not None

    def get_state(self, *args, **kwargs):
        """Stateless between steps."""
        return {}

    def set_state(self, state):
        """Stateless between steps; weights come by `receive`."""

    def get_metrics(self):
        """Metrics travel with the episodes."""
        return {}
