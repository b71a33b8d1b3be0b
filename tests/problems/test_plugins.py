"""Problems of other packages: the example of `examples/own_problem`, and what may be wrong."""

import json
import tomllib
from functools import partial

import pytest

from quasar.problems.plugins import GROUP
from tests.support.plugins import ROOT, run_with_plugin

EXAMPLE = ROOT / "examples" / "own_problem"
DECLARED = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]

quasar = partial(run_with_plugin, example=EXAMPLE, group=GROUP)


def test_the_example_is_a_problem_like_any_other(tmp_path):
    program = """
import sys
import numpy as np
from quasar.problems import build_instance, get_problem
from quasar.problems.soundness import check_sound
problem = get_problem("dominating_set")
for seed in range(20):
    graph, attributes = problem.generate(np.random.default_rng(seed), 2 + seed % 6)
    fault = check_sound(build_instance("dominating_set", graph, attributes))
    if fault:
        sys.exit(fault)
"""
    declared = DECLARED["entry-points"][GROUP]
    done = quasar(tmp_path, program, entry_points=declared, program=("-c",))
    assert done.returncode == 0, done.stderr


def test_the_example_is_shown(tmp_path):
    done = quasar(
        tmp_path,
        *("problems", "show", "dominating_set", "--json"),
        entry_points=DECLARED["entry-points"][GROUP],
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"].startswith("Answer: the list of nodes in the set.")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("other", "dominating_set:DominatingSet", "the class is named 'dominating_set'"),
        ("path", "dominating_set:nx", "not a GraphProblem"),
        ("abstract", "dominating_set:NodeSubsetProblem", "not a GraphProblem with all its methods"),
        ("missing", "no_such_module:Problem", "ModuleNotFoundError"),
        ("min_cut", "quasar.problems.primitives.min_cut:MinCut", "min_cut is taken by Quasar"),
    ],
)
def test_a_faulty_entry_point_is_one_line(tmp_path, name, value, message):
    done = quasar(tmp_path, "problems", "list", entry_points={name: value})
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
