"""Whether a model can be the policy of this configuration, found out before any work.

Every command that uses a model asks here first, so that a stranger's model fails in one line and
not after the dataset is made. Of weights only headers are read.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from quasar.config import QuasarConfig
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.generation.planning import sizes_of
from quasar.datasets.generation.task_examples import cells_of
from quasar.datasets.prompts import build_messages
from quasar.errors import CheckpointError, ConfigError, InputError
from quasar.policy.chat import ChatFormat
from quasar.policy.model_files import require_model_files
from quasar.policy.models import MAX_POSITIONS, load_chat, load_network, load_shape
from quasar.tasks import get_task

Messages = Sequence[dict[str, str]]
_SAMPLED = 4  # candidates of a primitive whose prompts are looked at before there is a dataset


def require_policy(
    source: str | Path, config: QuasarConfig, *, turns: int | None = None
) -> ChatFormat:
    """How the model is talked to, if it can write circuits under this configuration.

    turns: of the model, if others than `generation.max_turns`. Raises CheckpointError or
    ConfigError in one line that names the file or the setting.
    """
    require_model_files(source)
    shape = load_shape(source)
    if Path(source).exists():  # not those of the hub, which would be fetched for it
        load_network(source, device_map="meta")
    generation = config.generation
    chat = load_chat(source, tool_format=generation.tool_format, tools=generation.tools)
    if (config.generation.max_turns if turns is None else turns) > 1:
        chat.require_tool_turns()
    text = shape.get_text_config()
    largest = max(chat.tokenizer.get_vocab().values())
    if largest >= text.vocab_size:
        raise CheckpointError(
            f"{source}: the tokenizer makes ids up to {largest}, the model has embeddings for "
            f"{text.vocab_size} (vocab_size in config.json); their files do not go together"
        )
    outside = sorted(i for i in chat.end_ids if not 0 <= i < text.vocab_size)
    if outside:
        raise CheckpointError(
            f"{source}: eos_token_id {outside[0]} is no token of the model, which has "
            f"{text.vocab_size}; correct generation_config.json or config.json"
        )
    require_positions(getattr(text, "max_position_embeddings", None), config, source=str(source))
    return chat


def require_positions(positions: int | None, config: QuasarConfig, *, source: str) -> None:
    """Raises ConfigError where a rollout of full length has more tokens than the model positions.

    positions: None where the model has no such limit.
    """
    needed = config.generation.max_context_tokens
    if positions is not None and needed > positions:
        raise ConfigError(
            f"{source}: the model takes {positions} tokens, prompt, response and observations may "
            f"take {needed}; lower generation.max_response_tokens (now "
            f"{config.generation.max_response_tokens}), generation.max_prompt_tokens (now "
            f"{config.generation.max_prompt_tokens}) or, in a new run, the turns "
            "(generation.max_turns, serving.max_turns)"
        )


def require_training(config: QuasarConfig) -> None:
    """As `require_policy` for the model that a run starts from, before the run makes anything.

    Its prompts are tried on some of the largest problems of the dataset to come; whoever has the
    dataset asks `require_prompts` for all of them.
    """
    if config.grpo.distillation.teacher is not None:
        require_model_files(config.grpo.distillation.teacher)
    if config.policy.model == "build":
        require_positions(MAX_POSITIONS, config, source="policy.model=build")
        return
    chat = require_policy(config.policy.model, config)
    require_prompts(chat, _foreseen(config), config)


def require_teacher(teacher: str | Path, policy: str | Path) -> None:
    """Raises ConfigError where the teacher reads other tokens than the policy writes."""
    own, others = (load_chat(source).tokenizer.get_vocab() for source in (policy, teacher))
    if own == others:
        return
    token = min(own.items() ^ others.items(), key=lambda item: item[1])[0]
    raise ConfigError(
        f"the teacher's tokenizer is another than that of {policy} ({token!r} differs); in a new "
        f"run take one with the policy's tokenizer as grpo.distillation.teacher, not {teacher}"
    )


def _foreseen(config: QuasarConfig) -> Iterator[Messages]:
    settings = config.dataset
    for cells in cells_of(settings):
        for cell in cells:
            instance = cell.instance(np.random.default_rng([config.run.seed, cell.num_qubits]))
            yield get_task(cell.task).prompt(instance, style=settings.prompts)
    if GRAPH_TASK not in settings.tasks:
        return
    for primitive in settings.primitives:
        cell = Cell(primitive, sizes_of(primitive, settings)[-1], settings.encoding)
        for index in range(_SAMPLED):
            problem = make_candidate(cell, config.run.seed, index)
            yield build_messages(problem, layers=max(settings.layers), style=settings.prompts)


def require_prompts(chat: ChatFormat, prompts: Iterable[Messages], config: QuasarConfig) -> None:
    """Raises InputError where a prompt is longer than `generation.max_prompt_tokens`."""
    limit = config.generation.max_prompt_tokens
    longest = max((len(chat.prompt_ids(messages)) for messages in prompts), default=0)
    if longest > limit:
        raise InputError(
            f"the longest prompt has {longest} tokens, generation.max_prompt_tokens is {limit}: "
            f"set generation.max_prompt_tokens={longest}, or take smaller problems"
        )
