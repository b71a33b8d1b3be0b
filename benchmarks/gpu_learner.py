"""The steps of training in one process, without Ray and DeepSpeed, for `benchmarks/gpu.py`.

Everything is the project's own (sequences, packing, scores, losses, rollouts, grades, advantages)
but the engine around the model: torch's AdamW on float32 copies of the weights, as DeepSpeed keeps
them for a model in bfloat16.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gpu_stages import peak
from gpu_work import CUDA, Found, Note, Row, Work

from quasar.config import LearnerConfig, PolicyConfig
from quasar.datasets.io import read_records
from quasar.episodes.answers import answer_tasks, answering, unshared
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.policy.engines.loading import load_engine
from quasar.policy.models import load_policy
from quasar.training.algorithm.batch import assign, episode_metrics
from quasar.training.algorithm.packing import TrainingSequence, deal, pad
from quasar.training.algorithm.scorer import TokenScorer
from quasar.training.examples import supervised_sequences
from quasar.training.learner.deepspeed import Objective, PolicyLearner
from quasar.training.sampler import rollout_tasks
from quasar.verification.execution.process import GuardedVerifier


class TorchEngine:
    """The part of DeepSpeed's interface that `PolicyLearner` uses, for one rank."""

    def __init__(self, module: TokenScorer, config: LearnerConfig):
        self.module = module
        self._largest_norm, self._norm = config.max_gradient_norm, 0.0
        self._weights = [p for p in module.parameters() if p.requires_grad]
        self._masters = [p.detach().float().clone() for p in self._weights]
        self.optimizer = torch.optim.AdamW(
            self._masters, betas=(0.9, config.adam_beta2), weight_decay=config.weight_decay
        )

    def __call__(self, *arguments: Any) -> Any:
        return self.module(*arguments)

    def set_gradient_accumulation_boundary(self, is_boundary: bool) -> None:
        """Nothing is reduced over ranks."""

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradient to what there is, in float32."""
        loss.backward()
        for weight, master in zip(self._weights, self._masters, strict=True):
            if weight.grad is not None:
                gradient = weight.grad.float()
                master.grad = gradient if master.grad is None else master.grad.add_(gradient)
                weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Clip, update, round to the model's type."""
        self._norm = float(torch.nn.utils.clip_grad_norm_(self._masters, self._largest_norm))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        for weight, master in zip(self._weights, self._masters, strict=True):
            weight.copy_(master)

    def get_global_grad_norm(self) -> float:
        """Before clipping."""
        return self._norm


class TorchLearner(PolicyLearner):
    """`PolicyLearner` on a `TorchEngine`: no adapters, reference or teacher."""

    def __init__(
        self, model: str | Path, *, policy: PolicyConfig, config: LearnerConfig, device: str
    ):
        network, self.tokenizer = load_policy(model, device=device, dtype=policy.dtype)
        if policy.gradient_checkpointing:
            network.gradient_checkpointing_enable()
        self.config, self.device, self.world_size = config, device, 1
        self.keep_reference, self.reference, self.teacher = False, None, None
        self.engine = TorchEngine(TokenScorer(network.train()), config)

    def update(
        self, sequences: Sequence[TrainingSequence], objective: Objective, rate: float
    ) -> dict[str, float]:
        """One optimiser step on these sequences; see `PolicyLearner.train_step`."""
        limit = self.config.micro_batch_tokens
        (shard,) = deal(sequences, num_ranks=1, max_tokens=limit)
        return self.train_step(
            [pad(members, pad_id=self.pad_id) for members in shard],
            objective=objective,
            learning_rate=rate,
            num_tokens=sum(s.counts.trained for s in sequences),
        )


class Steps:
    """Supervised steps, GRPO updates and an evaluation on one device."""

    def __init__(self, work: Work, device: str):
        self.device, self.sizes = device, work.sizes(device)
        self.config = work.config(device)
        self.model = work.model_directory
        self.train = read_records(work.dataset / "train.jsonl")
        self.test = read_records(work.dataset / "test.jsonl")
        self.learner = TorchLearner(
            self.model, policy=self.config.policy, config=self.config.learner, device=device
        )
        self.sampler = load_engine(self.model, self.config, device=device)
        self.version = 0  # of the weights

    def rows(self) -> Found:
        """What each of them took."""
        yield from self.supervised()
        settings = self.config.verification
        with GuardedVerifier(
            unshared(settings), self.config.reward.formula, num_workers=settings.num_workers
        ) as verifiers:
            yield from self.reinforced(verifiers)
            yield from self.evaluated(verifiers)
        yield peak(self.device)

    def supervised(self) -> Found:
        """Steps on the same examples."""
        records = [self.train[i % len(self.train)] for i in range(self.sizes.examples)]
        sequences = supervised_sequences(records, self.sampler.chat, self.config)
        tokens = sum(s.counts.total for s in sequences)
        rate = self.config.sft.learning_rate
        seconds, losses = [], []
        for _ in range(self.sizes.steps):
            started = self.now()
            sums = self.learner.update(sequences, Objective("supervised"), rate)
            seconds.append(self.now() - started)
            losses.append(sums["loss"])
        taken = statistics.median(seconds[1:] or seconds)
        yield self.row("SFT", "tokens/s", tokens / taken)
        yield Note(f"SFT on {self.device}: loss {losses[0]:.3f}, then {losses[-1]:.3f}")

    def reinforced(self, verifiers: GuardedVerifier) -> Found:
        """Updates as `GRPO.training_step` takes them, weights handed over within the process."""
        config, found = self.config, []
        tools = verifying(verifiers.verify, config.reward, config.generation)
        runner = EpisodeRunner(self.sampler, tools, generation=config.generation)
        for step in range(self.sizes.updates):
            found.append(self._updated(runner, step))
        for name in dict.fromkeys(name for one in found for name in one):
            later = [one[name] for one in found[1:] or found if name in one]
            if later:
                yield self.row(*name, statistics.median(later))
        if not any(("GRPO update", "tokens/s") in one for one in found):
            yield Note("no update of GRPO: the rewards of each group were equal")

    def _updated(self, runner: EpisodeRunner, step: int) -> dict[tuple[str, str], float]:
        config, count = self.config, self.sizes.prompts
        indices = [(step * count + i) % len(self.train) for i in range(count)]
        tasks = rollout_tasks(
            self.train, indices, step=step, samples=self.sizes.samples, seed=config.run.seed,
            settings=config.dataset,
        )  # fmt: skip
        episodes = runner.run(tasks, weights_version=self.version)
        taken = runner.take_seconds()
        batch = assign(
            episodes,
            weights_version=self.version,
            settings=config.grpo,
            reward=config.reward,
            max_response_tokens=config.generation.max_response_tokens,
        )
        sampled = sum(e.counts.sampled for e in episodes)
        found = {
            ("GRPO rollouts", "tokens/s"): sampled / taken["generate"],
            ("GRPO verification", "candidates/s"): len(episodes) / taken["verify"],
        }
        if batch.sequences:
            objective = Objective("grpo", config.generation.temperature, config.grpo)
            started = self.now()
            self.learner.update(batch.sequences, objective, config.grpo.learning_rate)
            seconds = self.now() - started
            tokens = sum(s.counts.total for s in batch.sequences)
            found["GRPO update", "tokens/s"] = tokens / seconds
            started = self.now()
            weights = self.learner.gather_weights()
            self.sampler.load_weights({k: torch.from_numpy(v) for k, v in weights.items()})
            found["weights to the sampler", "s"] = self.now() - started
            self.version += 1
        return found

    def evaluated(self, verifiers: GuardedVerifier) -> Found:
        """One answer to each of some held-out problems."""
        records = [self.test[i % len(self.test)] for i in range(self.sizes.answers)]
        runner = answering(self.sampler, verifiers.verify, self.config)
        started = self.now()
        episodes = runner.run(
            answer_tasks(records, samples=1, config=self.config), weights_version=self.version
        )
        yield self.row("evaluation", "answers/s", len(episodes) / (self.now() - started))
        metrics = episode_metrics(episodes)
        for name in ("valid_fraction", "approximation_ratio"):
            yield self.row(f"evaluation: {name.replace('_', ' ')}", "", metrics[name])

    def row(self, what: str, unit: str, value: float) -> Row:
        return Row(what, unit, self.device, value)

    def now(self) -> float:
        """Seconds, once the device has done what it was given."""
        if self.device == CUDA:
            torch.cuda.synchronize()
        return time.perf_counter()
