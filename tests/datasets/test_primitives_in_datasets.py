"""What planner and prompt do with primitives of their own sizes and attributes."""

from quasar.config import load_config
from quasar.datasets.generation.planning import Planner
from quasar.datasets.prompts import build_messages
from quasar.problems import build_instance


def test_planner_has_no_cell_of_an_impossible_size(tmp_path):
    settings = ['dataset.primitives=["graph_coloring"]', "dataset.max_qubits=9"]
    planner = Planner(load_config("laptop", settings).dataset, seed=0, directory=tmp_path)
    assert list(planner.counts()["graph_coloring"]) == ["4", "6", "8", "9"]


def test_lists_of_nodes_are_in_the_prompt():
    edges = [{"source": 0, "target": 1, "weight": 2}, {"source": 1, "target": 2, "weight": 3}]
    graph = {"nodes": [{"id": v} for v in range(3)], "edges": edges}
    instance = build_instance("steiner_tree", graph, {"terminal_nodes": [0, 2]})
    text = build_messages(instance)[-1]["content"]
    assert "Graph: 0-1:2 1-2:3" in text
    assert "With: terminal_nodes={0,2}\n" in text
