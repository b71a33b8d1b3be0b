from collections import Counter
from types import SimpleNamespace

from quasar.config import load_config
from quasar.learning.grpo import GRPO, GRPOConfig
from quasar.runtime import on_nodes

NODES = ["learner.nodes=big", "rollout.nodes=fast", "verification.nodes=cheap"]
COUNTS = ["learner.num_learners=1", "rollout.num_workers=3", "verification.num_workers=4"]


def marks(settings: list[str]) -> Counter:
    """Bundles of a Tune trial by the kind of node that they ask for."""
    algorithm = GRPOConfig().run(
        load_config("laptop", settings), model_directory="model", problems_file="problems"
    )
    bundles = GRPO.default_resource_request(algorithm).bundles
    return Counter(
        name for bundle in bundles for name in bundle if name in ("big", "fast", "cheap")
    )


def test_each_actor_of_a_trial_asks_for_its_kind_of_node():
    assert marks([*COUNTS, *NODES]) == {"big": 1, "fast": 3, "cheap": 4}
    assert not marks(COUNTS)


def test_a_node_holds_any_number_of_actors():
    assert on_nodes(None) == {}
    assert 0 < 500 * on_nodes("cheap")["cheap"] <= 1  # as `ray start --resources '{"cheap": 1}'`


def test_a_node_that_has_just_died_costs_a_figure_and_no_more(monkeypatch):
    """Ray still lists a node that has just died; nobody listens at its address."""
    import grpc

    from quasar.learning import memory

    def nobody_listens(state):
        call = grpc.insecure_channel("127.0.0.1:1").unary_unary("/any/method")
        return call(b"", timeout=5)

    monkeypatch.setattr(memory, "get_memory_info_reply", nobody_listens)
    monkeypatch.setattr(memory, "get_state_from_address", lambda address: None)
    monkeypatch.setattr(memory.ray, "get_runtime_context", lambda: SimpleNamespace(gcs_address=""))
    assert memory.object_store_bytes() is None
