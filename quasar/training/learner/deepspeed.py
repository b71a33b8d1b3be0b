"""The learner: a causal language model inside a DeepSpeed ZeRO engine. Knows nothing of Ray.

One object is one data-parallel rank; the caller has set up torch.distributed. `train_step` runs a
rank's micro-batches and takes one optimiser step on gradients normalised by the token count of the
whole step. Calls on all ranks must agree: forward, gather and save are collective.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from peft import PeftModel

from quasar.config import GrpoConfig, LearnerConfig, PolicyConfig
from quasar.errors import CheckpointError, TrainingError
from quasar.policy.models import load_policy
from quasar.policy.sequence import TokenSequence
from quasar.system.run_paths import WEIGHTS
from quasar.training.algorithm.losses import (
    PolicyLoss,
    distilled_advantages,
    grpo_loss,
    k3,
    supervised_loss,
)
from quasar.training.algorithm.packing import MicroBatch, TrainingSequence, pad
from quasar.training.algorithm.scorer import TokenScorer
from quasar.training.learner.lora import add_adapters, plain_weights, save_adapter
from quasar.training.learner.reshard import ENGINE, UNIVERSAL

LARGEST_BUCKET = 500_000_000  # elements; DeepSpeed's own default
_CHECKPOINT_FILES = 1 << 20  # bytes of all that is not tensors: tokenizer, headers, state


@dataclass(frozen=True, slots=True)
class Objective:
    """What a step optimises: supervised likelihood, or the GRPO loss with its settings."""

    kind: str  # "supervised" or "grpo"
    temperature: float = 1.0  # at which rollouts are sampled
    grpo: GrpoConfig = field(default_factory=GrpoConfig)


class PolicyLearner:
    """One rank of the learner."""

    engine: Any  # DeepSpeed's; it has the attributes of the model that it holds

    def __init__(
        self,
        model: str | Path,
        *,
        policy: PolicyConfig,
        config: LearnerConfig,
        device: str,
        world_size: int = 1,
        keep_reference: bool = False,
        teacher: str | Path | None = None,
        seed: int = 0,
    ):
        """teacher: a model to draw the policy towards. seed: of the initial adapters, if there are
        any; the same on all ranks.
        """
        os.environ.setdefault("DS_ACCELERATOR", "cuda" if device == "cuda" else "cpu")
        import deepspeed  # imported late: it reads DS_ACCELERATOR and takes seconds

        self._deepspeed = deepspeed
        self.config, self.device, self.world_size = config, device, world_size
        network, self.tokenizer = load_policy(model, device=device, dtype=policy.dtype)
        if policy.gradient_checkpointing:
            network.gradient_checkpointing_enable()
        if policy.lora_rank:
            network = add_adapters(network, policy, seed=seed)
        self.keep_reference = keep_reference
        self.reference = None
        if keep_reference and not policy.lora_rank:
            frozen, _ = load_policy(model, device=device, dtype=policy.dtype)
            self.reference = TokenScorer(frozen.requires_grad_(False))
        self.teacher = None
        if teacher is not None:
            frozen, _ = load_policy(teacher, device=device, dtype=policy.dtype)
            self.teacher = TokenScorer(frozen.requires_grad_(False))
        scorer = TokenScorer(network.train())
        trained = [p for p in scorer.parameters() if p.requires_grad]
        num_trained = sum(p.numel() for p in trained)
        optimizer = torch.optim.AdamW(
            trained,
            lr=1e-6,  # set at each step
            betas=(0.9, config.adam_beta2),
            weight_decay=config.weight_decay,
        )
        self.engine, self.optimizer, _, _ = deepspeed.initialize(
            model=scorer,
            optimizer=optimizer,
            config=engine_config(config, policy, num_trained=num_trained),
            dist_init_required=False,
        )

    @property
    def pad_id(self) -> int:
        """Token id that fills the padding."""
        return self.tokenizer.pad_token_id

    def train_step(
        self,
        micro_batches: Sequence[MicroBatch],
        *,
        objective: Objective,
        learning_rate: float,
        num_tokens: int,
        num_updates: int = 1,
    ) -> dict[str, float]:
        """`num_updates` optimiser steps, each on the gradient accumulated over all micro-batches.

        num_tokens: trained tokens of the step over all ranks (> 0). Returns, of the last update,
        this rank's sums over its tokens (loss already divided by num_tokens), and the gradient norm
        before clipping.
        """
        for group in self.engine.optimizer.param_groups:
            group["lr"] = learning_rate
        # The learner's own log-probabilities before the first update, filled in by that update.
        old_log_probs: list[torch.Tensor] = []
        for update in range(num_updates):
            sums: dict[str, float] = {"tokens": 0.0}
            for index, batch in enumerate(micro_batches):
                self.engine.set_gradient_accumulation_boundary(index + 1 == len(micro_batches))
                log_probs, entropy = self._score(batch, objective)
                if update == 0:
                    old_log_probs.append(log_probs.detach())
                loss, parts = self._loss(batch, objective, log_probs, entropy, old_log_probs[index])
                loss = loss / num_tokens
                # DeepSpeed averages gradients over ranks; the sum over ranks is wanted.
                self.engine.backward(loss * self.world_size)
                parts["loss"] = loss.detach()
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + float(value)
                sums["tokens"] += batch.num_tokens
            self.engine.step()
        sums["gradient_norm"] = float(self.engine.get_global_grad_norm() or 0.0)
        return sums

    def preflight(self, time: int, objective: Objective) -> None:
        """Forward and backward pass of the largest micro-batch of sequences of `time` tokens.

        Its gradient is zero, so that nothing is learned. Collective. Raises TrainingError where it
        does not fit in memory.
        """
        rows = max(1, self.config.micro_batch_tokens // time)
        ones = np.ones(time - 1)
        longest = TokenSequence(ones[:1], ones * self.pad_id, ones, -ones)
        batch = pad([TrainingSequence.of(longest)] * rows, pad_id=self.pad_id)
        self.engine.set_gradient_accumulation_boundary(False)
        try:
            log_probs, entropy = self._score(batch, objective)
            loss, _ = self._loss(batch, objective, log_probs, entropy, log_probs.detach())
            self.engine.backward(loss * 0.0)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if "memory" not in str(error):
                raise
            raise TrainingError(f"out of memory at {rows} x {time} tokens: {error}") from error

    def _score(self, batch: MicroBatch, objective: Objective, policy: Any = None):
        """(tokens,) log-probabilities and entropies of the trained targets."""
        arrays = (batch.input_ids, batch.attention_mask, batch.trained)
        ids, mask, trained = (torch.from_numpy(a).to(self.device) for a in arrays)
        prefix = None
        if batch.prefix_ids is not None:
            arrays = (batch.prefix_ids, batch.prefix_lengths, batch.prefix_of)
            prefix = tuple(torch.from_numpy(a).to(self.device) for a in arrays)
        wants_entropy = objective.kind == "grpo" and objective.grpo.entropy_coefficient > 0
        scorer = self.engine if policy is None else policy
        return scorer(ids, mask, trained, objective.temperature, wants_entropy, batch.legal, prefix)

    def _loss(self, batch: MicroBatch, objective: Objective, log_probs, entropy, old_log_probs):
        """Summed loss of a micro-batch, and sums of what is logged."""
        # An empty micro-batch still needs a graph through every parameter.
        anchor = log_probs.sum() * 0.0
        parts = {"entropy": entropy.detach().sum()}
        if objective.kind == "supervised":
            return supervised_loss(log_probs) + anchor, parts
        settings = objective.grpo
        advantages, weights = (
            torch.from_numpy(np.repeat(row, batch.trained.sum(axis=1))).to(self.device)
            for row in (batch.advantages, batch.weights)
        )
        if self.teacher is not None:
            with torch.no_grad():
                teacher, _ = self._score(batch, objective, self.teacher)
            advantages = distilled_advantages(
                advantages,
                old_log_probs,
                teacher,
                coefficient=settings.distillation.coefficient,
            )
            parts["teacher_kl"] = k3(old_log_probs, teacher).sum()
        sampled = torch.from_numpy(batch.sampler_log_probs[batch.trained]).to(self.device)
        result = grpo_loss(
            log_probs,
            old_log_probs,
            advantages,
            clip_low=settings.clip_low,
            clip_high=settings.clip_high,
            dual_clip=settings.dual_clip,
            sampler_log_probs=sampled,
            importance_cap=settings.importance_cap,
            weights=weights,
            entropy=entropy,
            entropy_coefficient=settings.entropy_coefficient,
            reference_log_probs=self._reference_log_probs(batch, objective),
            kl_coefficient=settings.kl_coefficient,
        )
        parts |= {name: getattr(result, name) for name in PolicyLoss._fields if name != "loss"}
        return result.loss + anchor, parts

    @torch.no_grad()
    def _reference_log_probs(self, batch: MicroBatch, objective: Objective) -> torch.Tensor | None:
        """(tokens,) log-probabilities of the frozen starting policy; None where none is kept."""
        if not self.keep_reference:
            return None
        if self.reference is not None:
            return self._score(batch, objective, self.reference)[0]
        with self.engine.module.policy.disable_adapter():  # what is under the adapters is frozen
            return self._score(batch, objective)[0]

    def gather_weights(self) -> dict[str, np.ndarray]:
        """All weights by Hugging Face name, as float32 arrays (bfloat16 has no numpy type).

        Adapters are merged. Collective under ZeRO-3: every rank must call it; every rank gets them.
        """
        with self._gathered() as policy:
            weights = plain_weights(policy)
            # Tied weights, of which one tensor has several names, stay one array.
            places = {k: (v.data_ptr(), v.shape) for k, v in weights.items()}
            arrays = {place: _to_numpy(weights[k]) for k, place in places.items()}
            return {k: arrays[place] for k, place in places.items()}

    @contextmanager
    def _gathered(self) -> Iterator[Any]:
        """The policy with its full parameters on every rank. Collective under ZeRO-3."""
        policy = self.engine.module.policy
        if self.config.zero_stage < 3:
            yield policy
        else:
            with self._deepspeed.zero.GatheredParameters(list(policy.parameters())):
                yield policy

    def checkpoint_bytes(self) -> int:
        """What a checkpoint of all ranks takes on the disk, bytes."""
        # Under ZeRO-3 a parameter is empty between steps and says what it holds of its own.
        sizes = [
            (getattr(p, "ds_numel", p.numel()), p.element_size(), p.requires_grad)
            for p in self.engine.module.policy.parameters()
        ]
        weights = sum(number * size for number, size, _ in sizes)
        trained = sum(number for number, _, trains in sizes if trains)
        # The engine's weights and the Hugging Face copy; float32 weights and Adam's two moments.
        return int(1.05 * (2 * weights + 12 * trained)) + _CHECKPOINT_FILES

    def save(self, directory: Path, *, rank: int) -> None:
        """Engine shards to directory/engine; from rank 0 a Hugging Face directory beside it, and
        adapters, if there are any, to directory/adapter.

        Collective. The directory must be one that all ranks see.
        """
        weights = self.gather_weights()
        self.engine.save_checkpoint(str(directory), tag=ENGINE)
        with self._gathered() as policy:
            adapted = isinstance(policy, PeftModel)
            if rank == 0 and adapted:
                save_adapter(policy, directory / "adapter")
        if rank == 0:
            plain: Any = policy
            if isinstance(policy, PeftModel):
                plain = cast(Any, policy.get_base_model())
            shared = {id(v): torch.from_numpy(v).to(plain.dtype) for v in weights.values()}
            tensors = {k: shared[id(v)] for k, v in weights.items()}  # tied ones are written once
            plain.save_pretrained(directory / WEIGHTS, state_dict=tensors)
            self.tokenizer.save_pretrained(directory / WEIGHTS)

    def load(self, directory: Path, *, universal: bool = False) -> None:
        """Model and optimiser as `save` left them. Collective.

        universal: from a directory of `reshard.universal`, else by as many ranks as saved it.
        """
        engine = self.engine
        engine._config.load_universal_checkpoint = universal  # how DeepSpeed's loader is told
        path, _ = engine.load_checkpoint(str(directory), tag=UNIVERSAL if universal else ENGINE)
        if path is None:
            raise CheckpointError(f"{directory}: holds no learner checkpoint")


def engine_config(
    config: LearnerConfig, policy: PolicyConfig, *, num_trained: int
) -> dict[str, Any]:
    """The DeepSpeed configuration that our configuration stands for."""
    # DeepSpeed allocates whole buckets in each backward pass, whatever the size of the model.
    bucket = min(LARGEST_BUCKET, num_trained)
    zero: dict[str, Any] = {
        "stage": config.zero_stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
    }
    if config.offload == "cpu":
        zero["offload_optimizer"] = {"device": "cpu"}
        if config.zero_stage == 3:
            zero["offload_param"] = {"device": "cpu"}
    return {
        # Micro-batches and their boundaries are ours; DeepSpeed must not rescale by them.
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.max_gradient_norm,
        "bf16": {"enabled": policy.dtype == "bfloat16"},
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
    }


def _to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().copy()
