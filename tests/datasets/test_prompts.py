"""What the prompt says of a problem: everything that its Hamiltonian depends on."""

from quasar.datasets.prompts import build_messages, graph_text
from quasar.problems import build_instance


def test_the_second_graph_and_the_weights_of_nodes_are_told():
    path = {"nodes": [{"id": v} for v in range(3)]}
    path["edges"] = [{"source": 0, "target": 1}, {"source": 1, "target": 2}]
    moved = path | {"edges": [{"source": 0, "target": 2}, {"source": 1, "target": 2}]}
    problem = build_instance("graph_isomorphism", path, {"autoisomorphic_graph": moved})
    text = build_messages(problem)[1]["content"]
    assert "\nGraph: 0-1 1-2\nWith: autoisomorphic_graph=0-2 1-2\n" in text
    assert graph_text({"nodes": [{"id": 0, "weight": 3}, {"id": 1}], "edges": []}) == "0:3"
    items = [{"id": 0, "weight": 3, "value": 7}, {"id": 1, "weight": 2, "value": 1}]
    problem = build_instance("knapsack", {"nodes": items, "edges": []}, {"capacity": 4})
    assert "\nGraph: 0:3/7 1:2/1\nWith: capacity=4\n" in build_messages(problem)[1]["content"]
