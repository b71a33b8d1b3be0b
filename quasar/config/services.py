"""Settings of what stands around training: run, cluster, tracking, evaluation, endpoint."""

from typing import Literal

from pydantic import Field, field_validator

from quasar.config.section import PLACE, RESUMES, Section
from quasar.config.verification import DeviceName

BackendName = Literal["mlflow", "tensorboard", "wandb"]


class RunConfig(Section):
    name: str = Field(
        default="quasar",
        description="run name; its directory is <directory>/<name>",
        min_length=1,
        json_schema_extra=RESUMES,
    )
    directory: str = Field(
        default="runs",
        description="where runs are written (shared storage on a cluster)",
        json_schema_extra=RESUMES | PLACE,
    )
    upload: str | None = Field(
        default=None,
        min_length=1,
        description="where finished artefacts are copied as <upload>/<name>, e.g. s3://bucket/runs; null: nowhere",
        json_schema_extra=RESUMES,
    )
    seed: int = Field(
        default=0, ge=0, description="seed of data, initial weights, sampling and training"
    )


class ClusterConfig(Section):
    address: str | None = Field(
        default=None, description="Ray address; null starts a local Ray or joins the job's"
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="where models run; auto: GPU if one is there"
    )


class TrackingConfig(Section):
    uri: str | None = Field(
        default=None,
        description="MLflow tracking URI; null: MLFLOW_TRACKING_URI, else sqlite in the run directory",
        json_schema_extra=RESUMES | PLACE,
    )
    experiment: str = Field(
        default="quasar", min_length=1, description="MLflow experiment, wandb project"
    )
    backends: tuple[BackendName, ...] = Field(
        default=("mlflow",),
        min_length=1,
        description="stores that runs are logged in, one or several of mlflow, tensorboard, wandb",
    )
    register_as: str | None = Field(
        default=None,
        pattern=r"^[\w.-]+$",
        description="name in the model registry under which the trained model is a new version; null: none",
    )
    sample_circuits: int = Field(
        default=4, ge=0, description="sampled circuits logged at each checkpoint"
    )

    @field_validator("backends")
    @classmethod
    def _each_once(cls, names: tuple[BackendName, ...]) -> tuple[BackendName, ...]:
        if len(set(names)) != len(names):
            raise ValueError(f"each once, not {', '.join(names)}")
        return names


class EvaluationConfig(Section):
    num_problems: int = Field(
        default=120, ge=1, description="held-out problems of the main job's evaluation"
    )
    samples: int = Field(default=4, ge=1, description="completions a problem")
    temperature: float = Field(
        default=0.7, gt=0, description="sampling temperature of the evaluation"
    )
    top_p: float = Field(default=0.9, gt=0, le=1, description="nucleus mass of the evaluation")
    device: DeviceName = Field(
        default="fake_torino",
        description="device that circuits are compiled for, to count two-qubit gates and depth; none: not counted",
    )
    noise: bool = Field(
        default=False,
        description="run one circuit a problem, and its reference, under the device's noise",
    )
    random_draws: int = Field(
        default=8,
        ge=0,
        description="draws of random angles that each circuit is compared with; 0: none",
    )
    solver_seconds: float | None = Field(
        default=None,
        gt=0,
        description="seconds of the processor that the row 'solver at equal seconds' has for a problem; null: as "
        "many as an answer took, where the generation measured it",
        json_schema_extra=RESUMES,
    )


class ServingConfig(Section):
    host: str = Field(default="127.0.0.1", description="address the endpoint listens on")
    port: int = Field(default=8000, ge=1, le=65535, description="port the endpoint listens on")
    num_replicas: int = Field(default=1, ge=1, description="replicas of the generator")
    num_verifiers: int = Field(default=1, ge=1, description="replicas of the verifier")
    cpus_per_replica: float = Field(default=0.5, ge=0, description="Ray CPUs a replica reserves")
    gpus_per_replica: float = Field(default=0.0, ge=0, description="Ray GPUs a replica reserves")
    samples: int = Field(
        default=4,
        ge=1,
        description="candidates a request draws unless it says otherwise; the best one is answered",
    )
    temperature: float = Field(
        default=0.7, gt=0, description="sampling temperature unless a request says otherwise"
    )
    top_p: float = Field(
        default=0.9, gt=0, le=1, description="nucleus mass unless a request says otherwise"
    )
    ansatz: str = Field(
        default="qaoa",
        min_length=1,
        description="family that a prompt asks for where neither the request nor its row names one",
    )
    layers: int = Field(
        default=1,
        ge=1,
        le=32,
        description="layers of a family, where neither the request nor its row says",
    )
    max_samples: int = Field(
        default=32, ge=1, description="most candidates that one request may ask for"
    )
    max_turns: int = Field(
        default=4, ge=1, description="most model turns that one request may ask for"
    )
    max_body_bytes: int = Field(default=200_000, ge=1000, description="largest request body")
    body_timeout_s: float = Field(
        default=10.0, gt=0, description="longest time for a body to come in"
    )
    request_timeout_s: float = Field(
        default=120.0, gt=0, description="longest time for one request"
    )
    keys_file: str | None = Field(
        default=None,
        description="file of API keys (quasar keys new); null: QUASAR_API_KEYS, or no keys",
        json_schema_extra=RESUMES | PLACE,
    )
    allow_without_keys: bool = Field(
        default=False, description="listen on other addresses than loopback without any API key"
    )
    rate_limit_per_minute: float | None = Field(
        default=None, gt=0, description="requests a minute of one key; null: no limit"
    )
    rate_limit_burst: int = Field(default=10, ge=1, description="requests of one key at once")
    cors_origins: tuple[str, ...] = Field(
        default=(), description="origins whose pages may call the endpoint from a browser"
    )
    audit_log: str | None = Field(
        default=None,
        description="file for one JSON line a request, without bodies; null: none",
        json_schema_extra=RESUMES | PLACE,
    )
