"""Policy models: build a small one from scratch, or load any Hugging Face causal language model.

`build_policy` writes a directory in Hugging Face layout (weights, config, tokenizer) that
`AutoModelForCausalLM.from_pretrained` reads; `load_policy` reads such a directory or a hub name.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM
from transformers.utils.logging import disable_progress_bar

from quasar.config import PolicyConfig, QuasarConfig
from quasar.errors import CheckpointError
from quasar.policy.tokenizer import train_tokenizer

MAX_POSITIONS = 32_768

disable_progress_bar()  # weights load in a blink or are logged by whoever loads them


def build_policy(config: QuasarConfig, corpus: Iterable[str], directory: Path) -> Path:
    """Build model and tokenizer from the seed and the corpus, save both to `directory`."""
    tokenizer = train_tokenizer(
        corpus,
        vocab_size=config.policy.vocab_size,
        max_qubits=config.dataset.max_qubits,
        decimals=config.dataset.angle_decimals,
    )
    torch.manual_seed(config.run.seed)
    shape = policy_shape(
        config.policy,
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(shape)
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
        head_dim=max(16, policy.hidden_size // policy.num_attention_heads),
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        **others,
    )


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
                or piece.strip("-.0123456789") != ""
            ):
                continue
            phase = harmonics * value
            wave = torch.cat([torch.cos(phase) * features, torch.sin(phase) * features])
            table[index, : wave.numel()] = scale * wave


def load_policy(
    source: str | Path, *, device: str = "cpu", dtype: str = "float32"
) -> tuple[Any, Any]:
    """(model in eval mode, tokenizer) from a directory or hub name.

    Raises CheckpointError in one line where `source` is not a Hugging Face causal language model.
    """
    tokenizer = load_tokenizer(source)
    with _loading(source):
        model = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, dtype))
    return model.to(device).eval(), tokenizer


def load_tokenizer(source: str | Path) -> Any:
    """The tokenizer of a model directory or hub name, with a padding token.

    Raises CheckpointError in one line where there is none.
    """
    path = Path(source)
    if path.exists() and not (path / "config.json").is_file():
        raise CheckpointError(
            f"{source}: not a model directory (no config.json); give a directory in Hugging Face "
            "layout, e.g. runs/<name>/model/final"
        )
    if not path.exists() and (str(source).count("/") != 1 or str(source).startswith(("/", "."))):
        raise CheckpointError(f"{source}: no such model directory")
    with _loading(source):
        tokenizer = AutoTokenizer.from_pretrained(source)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def _loading(source: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{source}: cannot be loaded as a causal language model: {reason}"
        ) from error


def pick_device(accelerator: str = "auto") -> str:
    """ "cuda" where it is wanted and there, else "cpu"."""
    return "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"
