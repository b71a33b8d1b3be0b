"""What a model was not trained on is said; an ansatz that it does not honour is not hidden."""

import pytest

from quasar.config import load_config
from quasar.problems import build_instance
from quasar.serving.trained_range import outside_training, trained_families, trained_range

PUBLISHED = load_config("published", ["dataset.layers=[1,2]"])


def path(nodes, primitive="vertex_cover"):
    edges = [[i, i + 1] for i in range(nodes - 1)]
    return build_instance(primitive, {"nodes": list(range(nodes)), "edges": edges})


@pytest.mark.parametrize(
    ("problem", "ansatz", "layers", "told"),
    [
        (path(4), "qaoa", 2, []),
        (path(9), "qaoa", 1, ["9 qubits, the model was trained on 3 to 6"]),
        (path(4, "max_cut"), "qaoa", 1, ["max_cut, the model was trained on vertex_cover"]),
        (path(4), "sim_3", 1, ["sim_3, the model was trained on qaoa"]),
        (path(4), "qaoa", 3, ["3 layers, the model was trained on 1, 2"]),
        (path(4), "vqe", 1, []),
        (path(9), "adaptive", 7, ["9 qubits", "adaptive"]),
    ],
)
def test_each_way_out_is_one_sentence(problem, ansatz, layers, told):
    found = outside_training(PUBLISHED, problem, ansatz=ansatz, layers=layers)
    assert len(found) == len(told)
    assert all(part in sentence for part, sentence in zip(told, found, strict=True))


def test_a_compact_prompt_does_not_tell_the_problem():
    compact = load_config("laptop", ["dataset.primitives=[vertex_cover]"])
    assert outside_training(compact, path(4, "max_cut"), ansatz="qaoa", layers=1) == []


def test_what_was_trained_is_told_in_full():
    told = trained_range(PUBLISHED)
    assert told["primitives"] == ["vertex_cover", "hypermaxcut", "min_cut"]
    assert (told["min_qubits"], told["max_qubits"]) == (3, 6)
    assert (told["ansatze"], told["layers"]) == (["qaoa"], [1, 2])
    assert (told["prompts"], told["style"]) == ("structured", "published")
    settings = ["sft.stream.fresh=0.5", "sft.stream.layers=[4]", "dataset.layers=[2,1]"]
    streamed = trained_range(load_config("laptop", settings))
    assert streamed["layers"] == [1, 2, 4]
    assert streamed["ansatze"] == ["qaoa", "adaptive", "hardware_efficient"]


def test_a_stream_without_new_problems_teaches_no_further_family():
    assert trained_families(load_config("laptop")) == ("qaoa",)
    assert "adaptive" in trained_families(load_config("policy"))


def test_a_model_of_choices_is_not_asked_to_write_freely():
    asked = dict(ansatz="qaoa", layers=1, constrained=False)
    (told,) = outside_training(load_config("laptop"), path(4), **asked)
    assert "not constrained" in told
    assert outside_training(PUBLISHED, path(4), **asked) == []
