"""Where the examples of supervised training come from: files in seeded epochs, or a stream.

Both give the sequences of a 0-based step, the same ones whenever they are asked for it.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from quasar.config import QuasarConfig
from quasar.datasets.generation.traces import Trace
from quasar.datasets.imitation import taught_program
from quasar.datasets.prompts import record_messages
from quasar.datasets.stream import Example, ExampleStream
from quasar.datasets.task_answers import is_scripted, taught_answer
from quasar.datasets.task_records import Record, TaskRecord
from quasar.errors import TrainingError
from quasar.policy.chat import ChatFormat
from quasar.policy.grammar import TokenGrammar
from quasar.policy.legal import LegalTokens, concatenate
from quasar.policy.models import load_chat
from quasar.policy.program_form import ProgramForm, canonical_form, record_form
from quasar.policy.sequence import TokenSequence
from quasar.tasks.base import PromptStyle
from quasar.training.algorithm.packing import TrainingSequence
from quasar.training.sampler import EpochSampler

logger = logging.getLogger(__name__)

_AHEAD = 2  # steps that each worker has in hand
_ATTEMPTS = 20  # for an example that fits the configured lengths


def supervised_sequence(
    record: Record,
    chat: ChatFormat,
    *,
    style: PromptStyle = "structured",
    answer: str | None = None,
    legal: LegalTokens | None = None,
) -> TrainingSequence:
    """Prompt and answer of an example, its reference circuit where no other is given.

    legal: of the answer's tokens; those that were chosen are trained on, without it all are.
    """
    messages = record_messages(record, style=style)
    ids = chat.answer_ids(record.problem.reference_circuit or "" if answer is None else answer)
    return _trained(chat.prompt_ids(messages), ids, [1] * len(ids), legal)


def prompt_fits(config: QuasarConfig, model: Path | str) -> Callable[[Record], bool]:
    """Whether a record's prompt is within `generation.max_prompt_tokens` of a model directory."""
    chat, limit = load_chat(model), config.generation.max_prompt_tokens

    def fits(record: Record) -> bool:
        messages = record_messages(record, style=config.dataset.prompts)
        return len(chat.prompt_ids(messages)) <= limit

    return fits


class Choices:
    """Finds what the grammar leaves open in written answers (`sft.loss`: choices)."""

    def __init__(self, chat: ChatFormat):
        tokenizer = chat.tokenizer
        self._chat = chat
        self._grammar = TokenGrammar(tokenizer, vocab_size=len(tokenizer), eos_id=chat.eos_id)

    def of(self, answer: str, form: ProgramForm) -> LegalTokens | None:
        """What the answer's tokens were chosen from; None where the form has no script, or the
        answer is not written by it (an angle beyond the tokenizer's pieces): the policy could not
        write it.
        """
        return self._grammar.follow(form, self._chat.answer_ids(answer))


def supervised_sequences(
    records: Sequence[Record], chat: ChatFormat, config: QuasarConfig
) -> list[TrainingSequence]:
    """Of all records but those whose teacher has no answer in the task's script, and those that the
    grammar of `sft.loss=choices` could not write; where an answer has no script, all of its tokens
    are learned.

    Raises TrainingError where none is left.
    """
    style = config.dataset.prompts
    choices = Choices(chat) if config.sft.loss == "choices" else None
    sequences = []
    for record in records:
        scripted = True
        if isinstance(record, TaskRecord):
            scripted = is_scripted(record.problem, config.dataset)
            answer = taught_answer(record.problem, config.dataset)
        else:
            answer = taught_program(record, config.dataset)
        if answer is None:
            continue
        legal = None
        if choices is not None and scripted:
            legal = choices.of(answer, record_form(record, config.dataset))
            if legal is None:
                continue
        sequences.append(supervised_sequence(record, chat, style=style, answer=answer, legal=legal))
    if not sequences:
        raise TrainingError(
            "the grammar writes none of the training examples; in a new run set sft.loss=all"
        )
    if left_out := len(records) - len(sequences):
        logger.warning("%d of %d examples are left out: no answer under the grammar",
                       left_out, len(records))  # fmt: skip
    return sequences


def trace_sequence(trace: Trace, chat: ChatFormat, *, max_observation: int) -> TrainingSequence:
    """A trace as a rollout reads it; only the corrected circuit is trained on.

    max_observation: tokens of the tool's turn, as in rollouts.
    """
    *asked, wrong, observed, right = (message["content"] for message in trace.messages)
    prompt = chat.prompt_ids(trace.messages[: len(asked)])
    context = chat.answer_ids(wrong)
    context += chat.observation_ids(observed, max_tokens=max_observation)
    answer = chat.answer_ids(right)
    return _trained(prompt, context + answer, [0] * len(context) + [1] * len(answer))


class EpochExamples:
    """Given sequences, in a new seeded order each epoch."""

    def __init__(self, sequences: Sequence[TrainingSequence], *, per_step: int, seed: int):
        self._sequences = sequences
        self._sampler = EpochSampler(len(sequences), per_step=per_step, seed=seed)

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return max(s.counts.total for s in self._sequences)

    def batch(self, step: int) -> list[TrainingSequence]:
        """The sequences of 0-based step `step`."""
        return [self._sequences[i] for i in self._sampler.indices(step)]

    def close(self) -> None:
        """Nothing to end."""


class StreamedExamples:
    """Sequences that Ray actors make while the learners work, each of them once."""

    def __init__(
        self,
        config: QuasarConfig,
        records: Sequence[Record],
        *,
        model: Path,
        first: int,
        per_step: int,
        skipped: int = 0,
    ):
        """first: the 0-based step that will be asked for first; then one after the other.
        skipped: examples of the stream before those of step 0.
        """
        import ray

        worker = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3)(_ExampleWorker)
        settings = config.sft
        self.longest = config.generation.max_prompt_tokens + config.generation.max_response_tokens
        self._per_step, self._next, self._skipped = per_step, first, skipped
        shared = ray.put(list(records))
        self._workers: list[Any] = [
            worker.remote(config, shared, model) for _ in range(settings.stream.num_workers)
        ]
        self._asked: deque[tuple[int, Any]] = deque()
        for _ in range(_AHEAD * len(self._workers)):
            self._ask()

    def _ask(self) -> None:
        step, self._next = self._next, self._next + 1
        worker = self._workers[step % len(self._workers)]
        start = self._skipped + step * self._per_step
        numbers = range(start, start + self._per_step)
        self._asked.append((step, worker.sequences.remote(numbers)))

    def batch(self, step: int) -> list[TrainingSequence]:
        """The sequences of the next step. Raises TrainingError where another one is asked for."""
        import ray

        expected, reference = self._asked.popleft()
        if step != expected:
            raise TrainingError(f"examples of step {step} are asked for, those of {expected} next")
        self._ask()
        return ray.get(reference)

    def close(self) -> None:
        """End the workers."""
        import ray

        for worker in self._workers:
            ray.kill(worker)


def teacher_examples(
    config: QuasarConfig,
    records: Sequence[Record],
    traces: Sequence[Trace] = (),
    *,
    model: Path,
    first: int,
    per_step: int,
    skipped: int = 0,
) -> EpochExamples | StreamedExamples:
    """What supervised training is configured to read: the stream, or the training split in epochs.

    records: of that split. first, skipped: see `StreamedExamples`.
    """
    if config.sft.stream.examples:
        return StreamedExamples(
            config, records, model=model, first=first, per_step=per_step, skipped=skipped
        )
    chat, limit = load_chat(model), config.generation.max_observation_tokens
    sequences = supervised_sequences(records, chat, config)
    sequences += [trace_sequence(trace, chat, max_observation=limit) for trace in traces]
    return EpochExamples(sequences, per_step=per_step, seed=config.run.seed)


class _ExampleWorker:
    def __init__(self, config: QuasarConfig, records: Sequence[Record], model: Path):
        self._stream = ExampleStream(config, records)
        self._chat = load_chat(model)
        self._dataset = config.dataset
        self._choices, self._loss = Choices(self._chat), config.sft.loss
        self._observation = config.generation.max_observation_tokens
        self._limits = config.generation.max_prompt_tokens, config.generation.max_response_tokens

    def sequences(self, numbers: Sequence[int]) -> list[TrainingSequence]:
        return [self._sequence(number) for number in numbers]

    def _sequence(self, number: int) -> TrainingSequence:
        for attempt in range(_ATTEMPTS):
            example = self._stream.example(number, attempt)
            prompt = self._chat.prompt_ids(example.messages)
            answer = self._chat.answer_ids(example.answer)
            before, read = self._before(example)
            legal = self._legal(example)
            if legal is None and self._is_scripted(example):
                continue
            length = len(before) + len(answer)
            if len(prompt) <= self._limits[0] and length <= self._limits[1]:
                mask = np.ones(len(answer), np.int8)
                if legal is not None:
                    mask[np.flatnonzero(legal.free)[sorted(example.mistakes)]] = 0
                context = before + read
                mask = np.concatenate([np.zeros(len(context), np.int8), mask])
                if legal is not None and context:
                    legal = concatenate([(len(context), None), (len(answer), legal)])
                chosen = legal if self._loss == "choices" else None
                return _trained(prompt, context + answer, mask, chosen)
        raise TrainingError(
            f"{_ATTEMPTS} examples in a row were too long, or not of the grammar; in a new run "
            "raise generation.max_prompt_tokens and generation.max_response_tokens, or set "
            "sft.loss=all and sft.stream.improving=0"
        )

    def _before(self, example: Example) -> tuple[list[int], list[int]]:
        """Ids of an earlier turn, and of what was read of it, as a rollout has them."""
        if example.before is None:
            return [], []
        written = self._chat.answer_ids(example.before.answer)
        told = example.before.observation
        return written, self._chat.observation_ids(told, max_tokens=self._observation)

    def _is_scripted(self, example: Example) -> bool:
        """Whether it is known, and matters, what the answer was chosen from."""
        matters = self._loss == "choices" or bool(example.mistakes)
        if example.instance is not None:
            return matters and is_scripted(example.instance, self._dataset)
        return matters

    def _legal(self, example: Example) -> LegalTokens | None:
        """What the answer was chosen from, where that matters."""
        if not self._is_scripted(example):
            return None
        if example.instance is not None:
            form = record_form(TaskRecord(0, example.instance), self._dataset)
        else:
            assert example.hamiltonian is not None
            form = canonical_form(
                example.hamiltonian, example.ansatz, example.layers, self._dataset
            )
            if example.before is not None:
                form = replace(form, revises=example.before.planned)
        return self._choices.of(example.answer, form)


def _trained(
    prompt: Sequence[int],
    response: Sequence[int],
    mask: Sequence[int] | np.ndarray,
    legal: LegalTokens | None = None,
) -> TrainingSequence:
    return TrainingSequence.of(
        TokenSequence(
            np.asarray(prompt, np.int32),
            np.asarray(response, np.int32),
            np.asarray(mask, np.int8),
            np.zeros(len(response), np.float32),
            legal,
        )
    )
