"""The endpoint for `serve deploy` and KubeRay's RayService, which name it in a file.

    import_path: quasar.serving.declared:application
    args: {checkpoint: /shared/model, config: single-gpu, set: ["serving.keys_file=/shared/keys"]}

`checkpoint` may be a list of models; `config` is then better left out, so that each has its own.
Host, port and numbers of replicas are those of that file; since the host is not known here, it is
taken for one that others reach.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quasar.config import load_config
from quasar.errors import CheckpointError, ConfigError
from quasar.serving.app import build_application
from quasar.serving.keys import configured_keys, require_keys_or_loopback
from quasar.serving.models import Checkpoint, endpoint_config, require_distinct
from quasar.system.run_paths import RunPaths, model_directory
from quasar.system.shipped import named_run

_ARGUMENTS = ("checkpoint", "config", "set")
_ANY_HOST = "0.0.0.0"


def application(arguments: Mapping[str, Any]) -> Any:
    """The Serve application of `quasar serve`.

    arguments: checkpoint: a run, a model directory in Hugging Face layout or the name of a model
    that comes with the package, or a list of them (left out: it only verifies); config: preset or
    file (that of the checkpoint's run, else laptop); set: list of `key=value`. Raises ConfigError
    (without API keys, too), InputError and CheckpointError, which Serve shows as the reason why the
    application does not start.
    """
    unknown = sorted(set(arguments) - set(_ARGUMENTS))
    if unknown:
        raise ConfigError(f"args: unknown {unknown[0]!r}; valid: {', '.join(_ARGUMENTS)}")
    named = arguments.get("checkpoint") or []
    named = [named] if isinstance(named, str) else named
    source, overrides = arguments.get("config"), arguments.get("set", ())
    checkpoints = [_checkpoint(name, source, overrides) for name in named]
    require_distinct(checkpoints)
    config = load_config(source or "laptop", overrides)
    if checkpoints:
        config = endpoint_config([checkpoint.config for checkpoint in checkpoints])
    keys = configured_keys(config.serving)
    require_keys_or_loopback(config.serving, _ANY_HOST, num_keys=len(keys))
    return build_application(checkpoints, config, keys)


def _checkpoint(name: str, source: str | None, overrides: Sequence[str]) -> Checkpoint:
    directory = model_directory(named_run(Path(name)))
    if not (directory / "config.json").is_file():
        raise CheckpointError(f"args: checkpoint {name}: not a model directory")
    run = RunPaths.enclosing(directory)
    own = "laptop" if run is None else str(run.config_file)
    return Checkpoint.of(directory, load_config(source or own, overrides))
