"""The stages of `benchmarks/gpu.py`, rehearsed on a CPU: those that start no Ray."""

import sys
from dataclasses import replace
from importlib.util import find_spec

import gpu
import pytest
from gpu_stages import STAGES
from gpu_work import CPU, CUDA, Note, Row, Work
from transformers import AutoConfig, AutoTokenizer


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """With its dataset and its model."""
    work = Work(str(tmp_path_factory.mktemp("gpu")), rehearse=True, examples=24)
    for _ in STAGES["prepare"](work, CPU):
        pass
    return work


def values(stage, work):
    """What a stage measures, by name."""
    return {e.what: e.value for e in STAGES[stage](work, CPU) if isinstance(e, Row)}


def test_random_weights_have_the_shape_of_qwen3_and_more_tokens_than_the_tokenizer(work):
    shape = AutoConfig.from_pretrained(work.model_directory)
    assert shape.model_type == "qwen3"
    assert shape.tie_word_embeddings
    assert shape.vocab_size > len(AutoTokenizer.from_pretrained(work.model_directory))
    full = replace(work, rehearse=False, overrides=("grpo.iterations=7",)).config(CUDA)
    assert (full.learner.gpus_per_learner, full.rollout.gpus_per_worker) == (0.5, 0.5)
    assert full.grpo.iterations == 7


def test_torch_gives_the_energies_of_the_kernels(work):
    found = values("verification", work)
    differences = [v for name, v in found.items() if "difference" in name]
    assert len(differences) == 4
    assert max(differences) < 1e-9
    assert found["8 qubits"] > 0 < found["8 qubits, torch"]
    assert found["8 qubits, ⟨H⟩ alone"] > 0 < found["8 qubits, ⟨H⟩ alone, in one batch"]


def test_both_simulators_are_timed(work):
    pytest.importorskip("qiskit_aer")
    assert {"10 qubits, Aer", "10 qubits, ours"} <= values("aer", work).keys()


def test_answers_do_not_end_by_themselves(work):
    assert values("transformers", work)["decoded"] > 0  # the stage counts the tokens


def test_training_without_ray_and_deepspeed(work):
    found = values("learner", work)
    assert {"SFT", "GRPO rollouts", "GRPO update", "weights to the sampler"} <= found.keys()
    assert found["evaluation: valid fraction"] == 1.0  # random weights, under the grammar


def test_what_a_stage_lacks_is_one_line(work):
    (entry,) = gpu.measured(work, "vllm", CPU, limit_s=60, python="/no/python")
    assert entry == Note("left out: /no/python: No such file or directory")
    if find_spec("vllm") is None:
        (entry,) = gpu.measured(work, "vllm", CPU, limit_s=60)
        assert entry == Note(f"left out: no vllm in {sys.executable} (extra vllm)")


def test_a_stage_ends_at_its_limit_and_a_failure_is_told(work, tmp_path):
    (entry,) = gpu.measured(work, "prepare", CPU, limit_s=0.05)
    assert entry == Note("ended on cpu after 0 s, its time limit")
    empty = Work(str(tmp_path), rehearse=True)
    *_, entry = gpu.measured(empty, "transformers", CPU, limit_s=60)
    assert isinstance(entry, Note)
    assert "failed on cpu (exit code 1)" in entry.note


def test_ratios_are_times_faster():
    assert gpu.ratio("s", {CPU: 3.0, CUDA: 2.0}) == "1.5"
    assert gpu.ratio("tokens/s", {CPU: 2.0, CUDA: 3.0}) == "1.5"
    assert gpu.ratio("GiB", {CPU: 2.0, CUDA: 3.0}) == gpu.ratio("s", {CPU: 2.0}) == ""
