"""The endpoint for `serve deploy` and KubeRay's RayService, which name it in a file.

    import_path: quasar.serving.declared:application
    args: {checkpoint: /shared/model, config: single-gpu, set: ["serving.keys_file=/shared/keys"]}

Host, port and numbers of replicas are then those of that file; since the host is not known here, it
is taken for one that others reach.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quasar.config import load_config
from quasar.errors import CheckpointError, ConfigError
from quasar.serving.app import build_application
from quasar.serving.keys import configured_keys, require_keys_or_loopback

_ARGUMENTS = ("checkpoint", "config", "set")
_ANY_HOST = "0.0.0.0"


def application(arguments: Mapping[str, Any]) -> Any:
    """The Serve application of `quasar serve`.

    arguments: checkpoint: a model directory in Hugging Face layout (left out: it only verifies);
    config: preset or file (laptop); set: list of `key=value`. Raises ConfigError (without API keys,
    too), InputError and CheckpointError, which Serve shows as the reason why the application does
    not start.
    """
    unknown = sorted(set(arguments) - set(_ARGUMENTS))
    if unknown:
        raise ConfigError(f"args: unknown {unknown[0]!r}; valid: {', '.join(_ARGUMENTS)}")
    config = load_config(arguments.get("config", "laptop"), arguments.get("set", ()))
    checkpoint = arguments.get("checkpoint")
    if checkpoint is not None and not (Path(checkpoint) / "config.json").is_file():
        raise CheckpointError(f"args: checkpoint {checkpoint}: not a model directory")
    keys = configured_keys(config.serving)
    require_keys_or_loopback(config.serving, _ANY_HOST, num_keys=len(keys))
    return build_application(None if checkpoint is None else Path(checkpoint), config, keys)
