"""Policy models: build a small one from scratch, or load any Hugging Face causal language model.

`build_policy` writes a directory in Hugging Face layout (weights, config, tokenizer) that
`AutoModelForCausalLM.from_pretrained` reads; `load_policy` reads such a directory or a hub name.
"""

import logging
import math
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import huggingface_hub
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
)
from transformers.utils.logging import disable_progress_bar

from quasar.config import PolicyConfig, QuasarConfig
from quasar.errors import CheckpointError
from quasar.policy.chat import ChatFormat
from quasar.policy.model_files import require_model_files
from quasar.policy.tokenizer import train_tokenizer, whole_pieces
from quasar.tasks.writing import Piece

MAX_POSITIONS = 32_768
_HUB_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)

disable_progress_bar()  # weights load in a blink or are logged by whoever loads them


def build_policy(config: QuasarConfig, corpus: Iterable[str], directory: Path) -> Path:
    """Build model and tokenizer from the seed and the corpus, save both to `directory`."""
    pieces = whole_pieces(config.dataset)
    tokenizer = train_tokenizer(
        corpus, vocab_size=config.policy.vocab_size, pieces=[piece.text for piece in pieces]
    )
    torch.manual_seed(config.run.seed)
    shape = policy_shape(
        config.policy,
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(shape)
    embed_features(model, tokenizer, pieces, seed=config.run.seed)
    embed_numbers(model, tokenizer)
    directory.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def policy_shape(policy: PolicyConfig, **others: Any) -> Qwen3Config:
    """Shape of the model that `build_policy` makes; others: further values of it."""
    return Qwen3Config(
        hidden_size=policy.hidden_size,
        intermediate_size=policy.intermediate_size,
        num_hidden_layers=policy.num_layers,
        num_attention_heads=policy.num_attention_heads,
        num_key_value_heads=policy.num_key_value_heads,
        head_dim=policy.head_size,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        **others,
    )


def embed_features(model: Any, tokenizer: Any, pieces: Sequence[Piece], *, seed: int) -> None:
    """Start the embeddings of pieces that name features from those features' vectors: a random one
    each, the same wherever the feature appears.
    """
    table = model.get_input_embeddings().weight
    draws = torch.Generator().manual_seed(seed)
    vectors: dict[str, torch.Tensor] = {}
    vocabulary = tokenizer.get_vocab()
    with torch.no_grad():
        scale = table.std()
        for piece in pieces:
            for feature in piece.features:
                if feature not in vectors:
                    vectors[feature] = scale * torch.randn(table.shape[1], generator=draws)
            if piece.features:
                total = sum((vectors[f] for f in piece.features), torch.zeros(table.shape[1]))
                table[vocabulary[piece.text]] = total / math.sqrt(len(piece.features))


def embed_numbers(model: Any, tokenizer: Any) -> None:
    """Start the embeddings of numeric pieces from Fourier features of their value.

    Neighbouring angles then begin close together (and, embeddings being tied, with close logits),
    so that what is learned of one angle carries over to the next.
    """
    table = model.get_input_embeddings().weight
    width = table.shape[1]
    harmonics = torch.arange(1, width // 2 + 1, dtype=torch.float32)
    decay = torch.exp(-0.5 * (harmonics / 24.0) ** 2)
    features = decay / torch.linalg.vector_norm(decay) * math.sqrt(width)
    scale = table.std()
    with torch.no_grad():
        for piece, index in tokenizer.get_vocab().items():
            try:
                value = float(piece)
            except ValueError:
                continue
            if (
                not math.isfinite(value)
                or abs(value) > math.pi
                or piece.lstrip(" ").strip("-.0123456789") != ""
            ):
                continue
            phase = harmonics * value
            wave = torch.cat([torch.cos(phase) * features, torch.sin(phase) * features])
            table[index, : wave.numel()] = scale * wave


def load_policy(
    source: str | Path, *, device: str = "cpu", dtype: str = "float32"
) -> tuple[Any, Any]:
    """(model in eval mode, tokenizer) from a directory or hub name.

    Raises CheckpointError in one line where `source` is not a Hugging Face causal language model,
    or lacks some of its weights.
    """
    tokenizer = load_tokenizer(source)
    return load_network(source, dtype=dtype).to(device).eval(), tokenizer


def load_network(source: str | Path, *, dtype: str = "float32", **options: Any) -> Any:
    """The model alone; options of transformers' `from_pretrained`. Raises as `load_policy`."""
    require_model_files(source)
    with _loading(source):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # told below
            output_loading_info=True,
            local_files_only=_offline(source),
            **options,
        )
    model, info = loaded
    # The library would draw these at random.
    for name, there, wanted in sorted(info["mismatched_keys"]):
        raise CheckpointError(
            f"{source}: {name} is of shape {tuple(there)}, config.json makes it {tuple(wanted)}"
        )
    if missing := sorted(info["missing_keys"]):
        raise CheckpointError(
            f"{source}: {len(missing)} of the model's tensors are not among its weights, e.g. "
            f"{missing[0]}"
        )
    return model


def load_shape(source: str | Path) -> Any:
    """The Hugging Face configuration of a causal language model. Raises as `load_policy`."""
    with _loading(source):
        shape = AutoConfig.from_pretrained(
            source, trust_remote_code=False, local_files_only=_offline(source)
        )
    made = shape.architectures or []
    if type(shape) not in MODEL_FOR_CAUSAL_LM_MAPPING or not (
        not made or set(made) & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    ):
        kind = ", ".join(made) or shape.model_type
        raise CheckpointError(
            f"{source}: a {kind}, not a causal language model that transformers has"
        )
    return shape


def load_tokenizer(source: str | Path) -> Any:
    """The tokenizer of a model directory or hub name, with a padding token.

    Raises CheckpointError in one line where there is none.
    """
    require_model_files(source)
    with _loading(source):
        tokenizer = AutoTokenizer.from_pretrained(
            source, trust_remote_code=False, local_files_only=_offline(source)
        )
    if tokenizer.pad_token_id is None:  # any: what is padded is masked
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def load_chat(
    source: str | Path, *, tool_format: str = "compact", tools: Sequence[str] = ("verify",)
) -> ChatFormat:
    """How the model of a directory or hub name is talked to. Raises as `ChatFormat` and above."""
    tokenizer = load_tokenizer(source)
    shape = load_shape(source)
    try:
        settings = GenerationConfig.from_pretrained(source, local_files_only=_offline(source))
    except OSError:  # none there: the library takes what the model's configuration says
        settings = GenerationConfig.from_model_config(shape)
    ends = end_tokens(settings)
    return ChatFormat(tokenizer, tool_format=tool_format, tools=tools, end_ids=ends)


def end_tokens(settings: GenerationConfig) -> tuple[int, ...]:
    """The tokens at which `model.generate` ends; none where nothing is said."""
    ends = settings.eos_token_id
    return () if ends is None else tuple(ends) if isinstance(ends, (list, tuple)) else (ends,)


@contextmanager
def _loading(source: str | Path) -> Iterator[None]:
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever the libraries make of a stranger's files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        raise CheckpointError(
            f"{source}: cannot be loaded as a causal language model: {reason}"
        ) from error


def _offline(source: str | Path) -> bool:
    """Whether a model of the hub must be taken from the cache: the hub does not answer.

    The library tries a hub that cannot be reached again and again, for each file.
    """
    return not Path(source).exists() and not _hub_answers()


@cache
def _hub_answers() -> bool:
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return False
    place = urlsplit(getproxies().get("https", "") or huggingface_hub.constants.ENDPOINT)
    port = place.port or (80 if place.scheme == "http" else 443)
    try:
        socket.create_connection((place.hostname or "", port), timeout=_HUB_TIMEOUT_S).close()
    except OSError as error:
        logger.warning(
            "%s does not answer (%s): models are taken from the cache", place.hostname, error
        )
        return False
    return True


def pick_device(accelerator: str = "auto") -> str:
    """ "cuda" where it is wanted and there, else "cpu"."""
    return "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"
