"""RLlib's LearnerGroup around DeepSpeed learners.

`DeepSpeedLearner` is the actor: RLlib gives it its place, its lifecycle and its process group; the
model lives in a `PolicyLearner` and RLlib's own module stays an empty placeholder (no DDP copy, no
second set of weights). `PolicyLearnerGroup` calls all ranks together: gathering and saving under
ZeRO-3 are collective, and a call that fails on one rank fails as a whole.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import RayError
from ray.rllib.core import COMPONENT_LEARNER
from ray.rllib.core.learner.learner_group import LearnerGroup
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.rl_module.torch import TorchRLModule

from quasar.errors import TrainingError
from quasar.policy.models import pick_device
from quasar.training.algorithm.packing import TrainingSequence, deal, pad
from quasar.training.capacity.hints import learner_hints
from quasar.training.capacity.usage import rss_bytes
from quasar.training.learner.deepspeed import Objective, PolicyLearner
from quasar.training.learner.native_ops import load_cpu_communication_op
from quasar.training.learner.reshard import num_saved, require_stage, universal
from quasar.training.rllib.token_store import fetch

if TYPE_CHECKING:
    from quasar.training.rllib.grpo import GRPOConfig

logger = logging.getLogger(__name__)


class PlaceholderModule(TorchRLModule):
    """RLlib wants a module per learner; the policy is not in it."""

    def setup(self):
        self.nothing = torch.nn.Parameter(torch.zeros(1), requires_grad=False)

    def _forward(self, batch, **kwargs):
        return {}


class DeepSpeedLearner(TorchLearner):
    """A learner actor. RLlib builds it; our calls are `train_step`, `publish`, `save`, `load`."""

    config: "GRPOConfig"

    def build(self) -> None:
        super().build()
        settings = self.config.quasar
        world_size = max(1, self.config.num_learners or 0)
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(world_size), LOCAL_RANK="0")
        device = pick_device(settings.cluster.accelerator)
        if device == "cpu":
            cores = os.cpu_count() or 1
            torch.set_num_threads(settings.learner.torch_threads or max(1, cores // world_size))
            load_cpu_communication_op()
        import deepspeed

        deepspeed.init_distributed("nccl" if device == "cuda" else "gloo", verbose=False)
        self.rank = rank
        self.policy_learner = PolicyLearner(
            self.config.model_directory,
            policy=settings.policy,
            config=settings.learner,
            device=device,
            world_size=world_size,
            keep_reference=self.config.keep_reference,
            teacher=self.config.teacher,
            seed=settings.run.seed,
        )

    def _make_modules_ddp_if_necessary(self) -> None:
        """The policy is DeepSpeed's; nothing to wrap."""

    def configure_optimizers_for_module(self, module_id, config=None) -> None:
        """The optimiser is DeepSpeed's; nothing to register."""

    def compute_loss_for_module(self, **kwargs):
        """RLlib's own update path is not used."""
        raise NotImplementedError("losses are computed in PolicyLearner.train_step")

    def train_step(
        self, micro_batches: list[list[TrainingSequence]], share_prompts: bool, **kwargs
    ) -> dict[str, float]:
        """See PolicyLearner.train_step; reads the tokens of this rank's micro-batches."""
        members = [s for batch in micro_batches for s in batch]
        tokens = iter(fetch(s.tokens for s in members))
        pad_id = self.policy_learner.pad_id
        batches = [
            pad(
                [replace(s, tokens=next(tokens)) for s in batch],
                pad_id=pad_id,
                share_prompts=share_prompts,
            )
            for batch in micro_batches
        ]
        return self.policy_learner.train_step(batches, **kwargs)

    def call(self, method: str, kwargs: dict[str, Any]) -> Any:
        """One of the methods here."""
        return getattr(self, method)(**kwargs)

    def preflight(self, **kwargs) -> None:
        """See PolicyLearner.preflight."""
        self.policy_learner.preflight(**kwargs)

    def rss_bytes(self) -> int:
        """Resident memory of this process."""
        return rss_bytes()

    def checkpoint_bytes(self) -> int:
        """See PolicyLearner.checkpoint_bytes."""
        return self.policy_learner.checkpoint_bytes()

    def publish(self) -> list[ray.ObjectRef]:
        """Gather the weights (all ranks) and put them into the object store (rank 0).

        Returns a list with one reference on rank 0, so that the driver passes the reference on
        and never holds the weights; an empty list elsewhere.
        """
        weights = self.policy_learner.gather_weights()
        return [ray.put(weights)] if self.rank == 0 else []

    def save(self, directory: str) -> None:
        """See PolicyLearner.save."""
        self.policy_learner.save(Path(directory), rank=self.rank)

    def load(self, directory: str, universal: bool = False) -> None:
        """See PolicyLearner.load."""
        self.policy_learner.load(Path(directory), universal=universal)


class PolicyLearnerGroup(LearnerGroup):
    """All ranks, as one learner. Any failure raises TrainingError: a lost rank is a lost run."""

    config: "GRPOConfig"

    def call_all(self, method: str, per_rank: Sequence[dict[str, Any]]) -> list[Any]:
        """Call a method on every rank with its own arguments; results in rank order.

        The first rank that fails ends the call: the others may wait for it in a collective, which
        they give up after half an hour.
        """
        assert self._worker_manager is not None  # a run's learners are always actors
        actors = list(self._worker_manager.actors().values())
        if len(actors) != len(per_rank):
            raise TrainingError(f"{method}: {len(actors)} of {len(per_rank)} learners are there")
        calls: list[ray.ObjectRef] = [
            actor.call.remote(method, kwargs)
            for actor, kwargs in zip(actors, per_rank, strict=True)
        ]
        waiting = calls
        while waiting:
            (done, *_), waiting = ray.wait(waiting, num_returns=1)
            try:
                ray.get(done)
            except RayError as error:
                raise TrainingError(
                    f"learner {calls.index(done)} failed in {method}: {_cause(error)}; resume the "
                    "run from its last checkpoint"
                ) from error
        return ray.get(calls)

    def update_policy(
        self,
        sequences: Sequence[TrainingSequence],
        *,
        objective: Objective,
        learning_rate: float,
        num_updates: int = 1,
    ) -> dict[str, float]:
        """`num_updates` optimiser steps on `sequences`.

        Returns, of the last one, means over the trained tokens of the whole step, the token count
        and the gradient norm before clipping.
        """
        settings = self.config.quasar.learner
        prompts = {s.counts.prompt_key for s in sequences}
        share = settings.share_prompts and len(prompts) < len(sequences)
        shards = deal(
            sequences,
            num_ranks=len(self),
            max_tokens=settings.micro_batch_tokens,
            share_prompts=share,
        )
        num_tokens = sum(s.counts.trained for s in sequences)
        common = dict(
            share_prompts=share,
            objective=objective,
            learning_rate=learning_rate,
            num_tokens=num_tokens,
            num_updates=num_updates,
        )
        per_rank = self.call_all("train_step", [dict(micro_batches=s, **common) for s in shards])
        total = {k: sum(sums[k] for sums in per_rank) for k in per_rank[0]}
        means = {
            name: value / num_tokens
            for name, value in total.items()
            if name not in ("loss", "tokens", "gradient_norm")
        }
        return means | {
            "loss": total["loss"],
            "trained_tokens": total["tokens"],
            "gradient_norm": per_rank[0]["gradient_norm"],
        }

    def preflight(self, time: int, objective: Objective) -> None:
        """Try the largest micro-batch of sequences of `time` tokens before anything is trained.

        Raises TrainingError naming the settings to change where the learners have not the memory.
        """
        try:
            self.call_all("preflight", [dict(time=time, objective=objective)] * len(self))
        except TrainingError as error:
            hints = " or ".join(learner_hints(self.config.quasar, tokens=time))
            raise TrainingError(
                f"no step of the longest sequences ({time} tokens) can be taken; if memory "
                f"ran out, {hints}. Cause: {error}"
            ) from error

    def rss_bytes(self) -> list[int]:
        """Resident memory of each learner's process, in rank order."""
        return self.call_all("rss_bytes", [{}] * len(self))

    def checkpoint_bytes(self) -> int:
        """What a checkpoint takes on the disk, bytes."""
        return self.call_all("checkpoint_bytes", [{}] * len(self))[0]

    def publish(self) -> list[ray.ObjectRef]:
        """A reference (in a list) to the current weights in the object store."""
        return self.call_all("publish", [{}] * len(self))[0]

    # What RLlib calls -----------------------------------------------------------------------

    def get_state(self, *args, **kwargs) -> dict[str, Any]:
        """Empty: weights travel by `publish`, and a checkpoint is written by `save_to_path`."""
        return {COMPONENT_LEARNER: {}}

    def set_state(self, state) -> None:
        """Nothing to set, see get_state."""

    def save_to_path(self, path: Any = None, **kwargs) -> str:
        """All ranks write their shards to `path` (storage that all ranks see)."""
        Path(path).mkdir(parents=True, exist_ok=True)
        self.call_all("save", [dict(directory=str(path))] * len(self))
        return str(path)

    def restore_from_path(self, path, **kwargs) -> None:
        """All ranks read their shards from `path`, cut anew where another number wrote them.

        Raises CheckpointError where there are none, or of another kind of ZeRO stage.
        """
        checkpoint = Path(path)
        saved = num_saved(checkpoint)
        require_stage(checkpoint, self.config.quasar.learner.zero_stage)
        if saved == len(self):
            self.call_all("load", [dict(directory=str(checkpoint))] * len(self))
            return
        logger.warning(
            "%s: written by %d learners, going on with %d; cutting its shards anew",
            checkpoint, saved, len(self),
        )  # fmt: skip
        with universal(checkpoint) as place:
            self.call_all("load", [dict(directory=str(place), universal=True)] * len(self))


def _cause(error: RayError) -> str:
    """What was raised there, without the traceback; of a dead actor, what Ray says."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[0] if lines else 'no reason given'}"
