"""Answers of the current weights to problems: `quasar generate`, and validation within training.

They are what an episode submits last, in as many turns as it is trained with, drawn at the
evaluation's temperature. Streams are keyed by (run.seed, sample_index, sample).
"""

from collections.abc import Sequence

from quasar.config import QuasarConfig, VerificationConfig
from quasar.datasets.prompts import record_messages
from quasar.datasets.task_records import Record
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.sampling import for_evaluation
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import Execute
from quasar.errors import InputError
from quasar.policy.chat import ChatFormat
from quasar.policy.engines.protocol import ChatEngine, GenerationEngine
from quasar.policy.program_form import record_form


def unshared(config: VerificationConfig) -> VerificationConfig:
    """Without the budget that a batch shares: what a turn reads, and so what the next one writes,
    must not hang on which problems are answered together.
    """
    return config.model_copy(update={"budget_s": 0.0})


def require_prompts_fit(
    chat: ChatFormat, records: Sequence[Record], config: QuasarConfig, *, source: str
) -> None:
    """Raises InputError, which names the problem and its file, for a prompt over the limit."""
    limit = config.generation.max_prompt_tokens
    for record in records:
        length = len(chat.prompt_ids(record_messages(record, style=config.dataset.prompts)))
        if length > limit:
            raise InputError(
                f"{source}: the prompt of sample_index {record.sample_index} has {length} tokens; "
                f"leave the problem out, or raise generation.max_prompt_tokens (now {limit})"
            )


def answering(
    engine: GenerationEngine | ChatEngine, verify: Execute, config: QuasarConfig
) -> EpisodeRunner:
    """What answers as `config.evaluation` says. verify: of an `unshared` verifier."""
    tools = verifying(verify, config.reward, config.generation)
    return EpisodeRunner(engine, tools, generation=for_evaluation(config))


def answer(
    runner: EpisodeRunner, records: Sequence[Record], *, samples: int, config: QuasarConfig
) -> list[list[str]]:
    """`samples` answers to each problem, in order. Raises InputError for too long a prompt."""
    texts = runner.answers(answer_tasks(records, samples=samples, config=config))
    return [texts[i : i + samples] for i in range(0, len(texts), samples)]


def answer_tasks(
    records: Sequence[Record], *, samples: int, config: QuasarConfig
) -> list[EpisodeTask]:
    """An episode for each sample of each problem, in order."""
    tasks = []
    for group, record in enumerate(records):
        messages = record_messages(record, style=config.dataset.prompts)
        form = record_form(record, config.dataset)
        tasks += [
            EpisodeTask(
                record.problem, messages, group, s, (config.run.seed, record.sample_index, s), form
            )
            for s in range(samples)
        ]
    return tasks
