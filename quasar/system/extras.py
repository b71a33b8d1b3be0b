"""What some commands need beside the light install: the extras of setup.cfg.

`pip install quasar-rl` brings problems, verifier, reward, client and their commands; training,
evaluating and serving bring torch, Ray and more by extras.
"""

# Modules that the extras train, serve and mcp bring.
MODULES = frozenset((
    "anyio", "deepspeed", "fastapi", "fastapi_offline", "fsspec", "grpc", "gymnasium",
    "huggingface_hub", "jinja2", "markupsafe", "matplotlib", "mcp", "mlflow", "outlines_core",
    "peft", "prometheus_client", "psutil", "pyarrow", "ray", "safetensors", "starlette",
    "threadpoolctl", "tokenizers", "torch", "transformers", "uvicorn",
))  # fmt: skip
_OF_COMMANDS = {"ask": "serve", "mcp": "mcp", "serve": "serve"}


def missing_extra(error: ModuleNotFoundError, command: str) -> str | None:
    """One line that says what to install for the command; None for another missing module."""
    module = (error.name or "").split(".")[0]
    if module not in MODULES:
        return None
    extra = _OF_COMMANDS.get(command, "train")
    return (
        f"{command} needs {module}, which is not installed; "
        f'pip install "quasar-rl[{extra}]" brings it'
    )
