"""Settings of what stands around training: run, cluster, tracking, evaluation, endpoint."""

from typing import Literal

from pydantic import Field

from quasar.config.section import Section
from quasar.config.verification import DeviceName


class RunConfig(Section):
    name: str = Field(
        "quasar", description="run name; its directory is <directory>/<name>", min_length=1
    )
    directory: str = Field(
        "runs", description="where runs are written (shared storage on a cluster)"
    )
    upload: str | None = Field(
        None,
        min_length=1,
        description="where finished artefacts are copied as <upload>/<name>, e.g. s3://bucket/runs; null: nowhere",
    )
    seed: int = Field(0, ge=0, description="seed of data, initial weights, sampling and training")


class ClusterConfig(Section):
    address: str | None = Field(
        None, description="Ray address; null starts a local Ray or joins the job's"
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="where models run; auto: GPU if one is there"
    )


class TrackingConfig(Section):
    uri: str | None = Field(
        None,
        description="MLflow tracking URI; null: MLFLOW_TRACKING_URI, else sqlite in the run directory",
    )
    experiment: str = Field("quasar", min_length=1, description="MLflow experiment")
    sample_circuits: int = Field(4, ge=0, description="sampled circuits logged at each checkpoint")


class EvaluationConfig(Section):
    num_problems: int = Field(
        120, ge=1, description="held-out problems of the main job's evaluation"
    )
    samples: int = Field(4, ge=1, description="completions a problem")
    temperature: float = Field(0.7, gt=0, description="sampling temperature of the evaluation")
    top_p: float = Field(0.9, gt=0, le=1, description="nucleus mass of the evaluation")
    device: DeviceName = Field(
        "fake_torino",
        description="device that circuits are compiled for, to count two-qubit gates and depth; none: not counted",
    )
    noise: bool = Field(
        False, description="run one circuit a problem, and its reference, under the device's noise"
    )
    random_draws: int = Field(
        8, ge=0, description="draws of random angles that each circuit is compared with; 0: none"
    )


class ServingConfig(Section):
    host: str = Field("127.0.0.1", description="address the endpoint listens on")
    port: int = Field(8000, ge=1, le=65535, description="port the endpoint listens on")
    num_replicas: int = Field(1, ge=1, description="replicas of the generator")
    num_verifiers: int = Field(1, ge=1, description="replicas of the verifier")
    cpus_per_replica: float = Field(0.5, ge=0, description="Ray CPUs a replica reserves")
    gpus_per_replica: float = Field(0.0, ge=0, description="Ray GPUs a replica reserves")
    samples: int = Field(
        4,
        ge=1,
        description="candidates a request draws unless it says otherwise; the best one is answered",
    )
    max_samples: int = Field(32, ge=1, description="most candidates that one request may ask for")
    max_turns: int = Field(4, ge=1, description="most model turns that one request may ask for")
    max_body_bytes: int = Field(200_000, ge=1000, description="largest request body")
    body_timeout_s: float = Field(10.0, gt=0, description="longest time for a body to come in")
    request_timeout_s: float = Field(120.0, gt=0, description="longest time for one request")
    keys_file: str | None = Field(
        None, description="file of API keys (quasar keys new); null: QUASAR_API_KEYS, or no keys"
    )
    allow_without_keys: bool = Field(
        False, description="listen on other addresses than loopback without any API key"
    )
    rate_limit_per_minute: float | None = Field(
        None, gt=0, description="requests a minute of one key; null: no limit"
    )
    rate_limit_burst: int = Field(10, ge=1, description="requests of one key at once")
    cors_origins: tuple[str, ...] = Field(
        (), description="origins whose pages may call the endpoint from a browser"
    )
    audit_log: str | None = Field(
        None, description="file for one JSON line a request, without bodies; null: none"
    )
