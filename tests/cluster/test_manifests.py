"""The files of `cluster/` and `ray_jobs/`: schemas, commands that parse, parts that fit."""

import configparser
import copy
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml
from ray.autoscaler._private.util import fillout_defaults, validate_config
from ray.runtime_env import RuntimeEnv
from ray.scripts.scripts import cli as ray_cli
from ray.serve._private.build_app import build_app
from ray.serve.schema import ServeDeploySchema

from quasar.cli.main import build_parser
from quasar.config import load_config
from quasar.errors import InputError
from quasar.serving.declared import application
from quasar.serving.keys import new_key
from quasar.system.shipped import MODELS
from tests.cluster.kubernetes_schema import schema_of

ROOT = Path(__file__).parents[2]
CLUSTER, JOBS = ROOT / "cluster", ROOT / "ray_jobs"
KUBERNETES = ("raycluster", "rayjob", "rayservice", "storage", "mlflow")
COMMANDS = {
    "train": ["train"],
    "sft": ["sft"],
    "dataset": ["dataset", "generate"],
    "sweep": ["sweep"],
    "evaluate": ["evaluate"],
    "improve": ["improve"],
    "serve": ["serve"],
}


def manifests(name: str) -> list[dict]:
    return list(yaml.safe_load_all((CLUSTER / f"{name}.yaml").read_text()))


def ray_cluster(name: str) -> dict:
    spec = manifests(name)[0]["spec"]
    return spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec


def pods(name: str) -> list[dict]:
    """The pod specs of a file."""
    found = []
    for manifest in manifests(name):
        spec = manifest["spec"]
        if manifest["kind"].startswith("Ray"):
            cluster = ray_cluster(name)
            groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
            found += [group["template"]["spec"] for group in groups]
        elif "template" in spec:
            found.append(spec["template"]["spec"])
    return found


def parse_quasar(words: list[str]):
    """The arguments and the configuration that a `quasar` command line gives."""
    arguments = build_parser().parse_args(words)
    return arguments, load_config(arguments.config or "laptop", arguments.overrides)


def parse_job(line: str):
    """`python …/ray_jobs/X.py ARGUMENTS` as the job's own command line."""
    python, path, *rest = shlex.split(line)
    assert python == "python"
    assert (JOBS / Path(path).name).is_file()
    return parse_quasar([*COMMANDS[Path(path).stem], *rest])


def parse_ray(line: str) -> dict:
    """Options of a `ray` command line, refused where the command does not know them."""
    words = [word for word in shlex.split(line) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    assert words[0] == "ray"
    command = ray_cli.get_command(None, words[1])
    return command.make_context(words[1], words[2:]).params


@pytest.mark.parametrize("name", KUBERNETES)
def test_a_kubernetes_manifest_follows_its_schema(name):
    for manifest in manifests(name):
        jsonschema.validate(manifest, schema_of(manifest))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "headGroupSpecs"), {}),
        (("spec", "rayVersion"), 2.6),
        (("spec", "headGroupSpec", "rayStartParams", "num-cpus"), 4),
        (("spec", "headGroupSpec", "template", "spec", "restartPolicy"), "never"),
        (("spec", "workerGroupSpecs", 0, "maxReplica"), 2),
        (("spec", "workerGroupSpecs", 0, "template", "spec", "containers"), []),
    ],
)
def test_the_schema_refuses_errors_of_typing(path, value):
    manifest = copy.deepcopy(manifests("raycluster")[0])
    place = manifest
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, schema_of(manifest))


@pytest.mark.parametrize("name", KUBERNETES)
def test_volumes_are_mounted_claimed_and_there(name):
    claims = {
        manifest["metadata"]["name"]
        for file in ("storage", "mlflow")
        for manifest in manifests(file)
        if manifest["kind"] == "PersistentVolumeClaim"
    }
    templates = {
        claim["metadata"]["name"]
        for manifest in manifests(name)
        for claim in manifest["spec"].get("volumeClaimTemplates", [])
    }
    for pod in pods(name):
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for container in pod["containers"]:
            for mount in container.get("volumeMounts", []):
                assert mount["name"] in volumes.keys() | templates
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims


@pytest.mark.parametrize("name", ["raycluster", "rayjob", "rayservice"])
def test_a_ray_cluster_has_probes_shared_storage_and_rays_version(name):
    cluster = ray_cluster(name)
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"] == {"mode": "token"}
    for pod in pods(name):
        (container,) = pod["containers"]
        assert {"readinessProbe", "livenessProbe"} <= container.keys()
        assert "/shared" in {mount["mountPath"] for mount in container["volumeMounts"]}
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resources"][
        "limits"
    ]["nvidia.com/gpu"]
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        options = [f"--{key}={value}" for key, value in group["rayStartParams"].items()]
        parse_ray(shlex.join(["ray", "start"]) + " " + " ".join(options))


def test_the_training_job_fits_its_cluster():
    spec = manifests("rayjob")[0]["spec"]
    arguments, config = parse_job(spec["entrypoint"])
    assert arguments.run.__name__ == "train"
    RuntimeEnv(**yaml.safe_load(spec["runtimeEnvYAML"]) | {"working_dir": str(ROOT)})
    gpu, simulators = spec["rayClusterSpec"]["workerGroupSpecs"]
    marks = json.loads(parse_ray(_start(simulators))["resources"])
    assert config.verification.nodes in marks
    has = {
        key: group["replicas"]
        * int(group["template"]["spec"]["containers"][0]["resources"]["limits"][key])
        for group, key in ((gpu, "cpu"), (gpu, "nvidia.com/gpu"))
    }
    learner, rollout, verification = config.learner, config.rollout, config.verification
    assert has["nvidia.com/gpu"] == (
        learner.num_learners * learner.gpus_per_learner
        + rollout.num_workers * rollout.gpus_per_worker
    )
    assert has["cpu"] >= (
        learner.num_learners * learner.cpus_per_learner
        + rollout.num_workers * rollout.cpus_per_worker
    )
    limits = simulators["template"]["spec"]["containers"][0]["resources"]["limits"]
    needed = verification.num_workers * verification.cpus_per_worker
    assert simulators["replicas"] * int(limits["cpu"]) >= needed
    assert config.run.directory == "/shared/runs"
    services = {m["metadata"]["name"] for m in manifests("mlflow") if m["kind"] == "Service"}
    assert re.fullmatch(r"http://(\w+):5000", config.tracking.uri)[1] in services


def _start(group: dict) -> str:
    options = [f"--{key}={value}" for key, value in group["rayStartParams"].items()]
    # KubeRay puts the value into a shell command as it is: the inner quotes are the shell's.
    return "ray start " + " ".join(options).replace("'\"", "'").replace("\"'", "'")


def test_the_service_declares_the_endpoint(tmp_path):
    file = yaml.safe_load(manifests("rayservice")[0]["spec"]["serveConfigV2"])
    config = ServeDeploySchema(**file)
    (declared,) = config.applications
    assert declared.import_path == f"{application.__module__}:{application.__name__}"
    keys_file = load_config(declared.args["config"], declared.args["set"]).serving.keys_file
    assert keys_file.startswith("/shared/")
    new_key("someone", tmp_path / "keys.txt")
    asked = {"config": declared.args["config"], "set": [f"serving.keys_file={tmp_path}/keys.txt"]}
    built = application(asked)
    assert _deployment_names(built) == {"ingress", "verifier"}  # without a checkpoint
    names = {"writer", *_deployment_names(built)}
    assert {deployment.name for deployment in declared.deployments} <= names
    workers = ray_cluster("rayservice")["workerGroupSpecs"][0]
    (writer,) = declared.deployments
    assert workers["maxReplicas"] >= writer.autoscaling_config["max_replicas"]


def _deployment_names(built) -> set[str]:
    return {deployment.name for deployment in build_app(built, name="quasar").deployments}


def test_a_declared_endpoint_has_a_writer_for_each_model_with_a_gpu(tmp_path):
    new_key("someone", tmp_path / "keys.txt")
    keys = f"serving.keys_file={tmp_path}/keys.txt"
    both = {"checkpoint": ["graph-3m", "tasks-2m"], "set": [keys]}
    assert _deployment_names(application(both)) == {"ingress", "verifier", "writer"}
    gpus = {**both, "set": [keys, "serving.gpus_per_replica=1"]}
    assert _deployment_names(application(gpus)) == {
        "ingress", "verifier", "writer", "writer-tasks-2m",
    }  # fmt: skip
    ingress = application(both)._bound_deployment
    tasks = [one.config.dataset.tasks for one, _ in ingress.init_args[0]]
    assert tasks == [*MODELS.values()]  # each with the configuration of its run
    with pytest.raises(InputError, match="two models to serve are called 'tasks-2m'"):
        application({**both, "checkpoint": ["tasks-2m", "tasks-2m"]})


def test_the_declared_endpoint_refuses_what_it_does_not_know(tmp_path):
    from quasar.errors import CheckpointError, ConfigError

    with pytest.raises(ConfigError, match="unknown 'checkpoints'"):
        application({"checkpoints": "x"})
    with pytest.raises(CheckpointError, match="not a model directory"):
        application({"checkpoint": str(tmp_path)})
    with pytest.raises(ConfigError, match="there are no API keys"):
        application({})


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_an_autoscaler_file_follows_rays_schema(cloud):
    config = yaml.safe_load((CLUSTER / f"{cloud}.yaml").read_text())
    validate_config(fillout_defaults(copy.deepcopy(config)))
    assert config["head_node_type"] in config["available_node_types"]
    assert {node["resources"].get("GPU") for node in config["available_node_types"].values()} == {
        None,
        8,
    }
    head = [line for line in config["head_start_ray_commands"] if "--head" in line]
    parse_ray(head[0])
    for line in (*config["head_start_ray_commands"], *config["worker_start_ray_commands"]):
        parse_ray(line.replace("$RAY_HEAD_IP", "10.0.0.1"))
    broken = fillout_defaults(copy.deepcopy(config)) | {"max_worker": 3}
    with pytest.raises(jsonschema.ValidationError):
        validate_config(broken)


def test_the_slurm_script_starts_the_job_on_all_nodes(tmp_path):
    """The script itself, with Slurm's commands replaced by ones that say what they were given."""
    script = CLUSTER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    for name, text in {
        "scontrol": "echo first-node; echo second-node",
        "srun": 'printf "%s\\0" "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "environment/bin").mkdir(parents=True)
    (tmp_path / "environment/bin/activate").write_text("")
    done = subprocess.run(
        ["bash", script, "--config", "cluster-4b", "--set", "run.directory=/shared/runs"],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "QUASAR_ENVIRONMENT": str(tmp_path / "environment"),
            "SLURM_JOB_ID": "4242",
            "SLURM_JOB_NODELIST": "n[1-2]",
            "SLURM_NNODES": "2",
            "SLURM_CPUS_PER_TASK": "64",
            "SLURM_GPUS_ON_NODE": "8",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.split("\0")[:-1]
    ray_words, entry = words[: words.index("--")], words[words.index("--") + 1 :]
    start = ray_words[ray_words.index("symmetric-run") + 1 :]
    assert start[:4] == ["--address", "first-node:24242", "--min-nodes", "2"]
    options = parse_ray(shlex.join(["ray", "start", "--head", *start[4:]]))
    assert (options["num_cpus"], options["num_gpus"]) == (64, 8)
    assert entry[:3] == ["env", "RAY_ADDRESS=first-node:24242", "quasar"]
    arguments, config = parse_quasar(entry[3:])
    assert arguments.run.__name__ == "train"
    assert config.run.directory == "/shared/runs"


@pytest.mark.parametrize("name", ["mlflow", "compose"])
def test_the_mlflow_server_has_a_database_and_arguments_that_it_knows(name):
    from mlflow.cli import cli as mlflow_cli

    if name == "compose":
        services = yaml.safe_load((CLUSTER / "compose.yaml").read_text())["services"]
        words = services["mlflow"]["command"]
        uri = services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
        databases = set(services)
        image = services["database"]["image"]
    else:
        database, server = pods("mlflow")
        (container,) = server["containers"]
        words = container["command"] + container["args"]
        uri = {e["name"]: e.get("value") for e in container["env"]}["MLFLOW_BACKEND_STORE_URI"]
        databases = {m["metadata"]["name"] for m in manifests("mlflow") if m["kind"] == "Service"}
        image = database["containers"][0]["image"]
    assert image.startswith("postgres:")
    assert re.fullmatch(r"postgresql://mlflow:\$[{(]\w+[})]@([\w-]+):5432/mlflow", uri)[1] in (
        databases
    )
    assert words[:2] == ["mlflow", "server"]
    parsed = mlflow_cli.get_command(None, "server").make_context("server", words[2:]).params
    assert parsed["port"] == 5000
    assert parsed["artifacts_destination"] == "/artifacts"
    assert parsed["serve_artifacts"]


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_a_dockerfile_copies_what_is_there_and_installs_known_extras(kind):
    text = (CLUSTER / f"Dockerfile.{kind}").read_text().replace("\\\n", " ")
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    (extras,) = re.findall(r'-e "\.\[([\w,]+)\]"', text)
    assert kind in extras.split(",")
    assert set(extras.split(",")) <= set(setup["options.extras_require"])
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    for command in re.findall(r"^RUN (.+)$", text, re.MULTILINE):
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize("job", COMMANDS)
def test_a_job_has_a_runtime_environment(job):
    described = yaml.safe_load((JOBS / f"{job}.yaml").read_text())
    RuntimeEnv(**described | {"working_dir": str(ROOT)})
    assert described["working_dir"] == "."
    assert not {"quasar", "ray_jobs"} & set(described["excludes"])
    for word in (f"ray_jobs/{job}.py", f"ray_jobs/{job}.yaml"):
        assert word in (JOBS / f"{job}.py").read_text()


@pytest.mark.parametrize("file", [*(f"{job}.py" for job in COMMANDS), "README.md"])
def test_the_commands_shown_parse(file):
    text = (JOBS / file).read_text().replace("\\\n", " ")
    shown = re.findall(r"(ray job submit .*?) -- +(python .+)", text)
    assert shown
    for submit, entry in shown:
        parse_job(entry)
        words = shlex.split(submit)[3:]
        assert (ROOT / words[words.index("--runtime-env") + 1]).is_file()
        ray_cli.get_command(None, "job").get_command(None, "submit").make_context(
            "submit", [*words, "--", "x"]
        )
