import os
import socket
from collections import Counter
from types import SimpleNamespace

import pytest

from quasar import runtime
from quasar.config import load_config
from quasar.errors import InputError
from quasar.runtime import _without_note_on_log_level, on_nodes
from quasar.training.rllib.grpo import GRPO, GRPOConfig
from tests.support.machine import scaled

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


def test_only_the_note_on_the_log_level_is_left_out(capfd):
    note = "[2026-11-28 23:56:54,721 I 1 1] logging.cc:303: Set ray log level from environment "
    note += "variable RAY_BACKEND_LOG_LEVEL to 3\n"

    @_without_note_on_log_level()
    def start():
        os.write(2, f"before\n{note}after\n".encode())
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        start()
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "before\nafter\nlater\n"


def test_a_node_that_has_just_died_costs_a_figure_and_no_more(monkeypatch):
    """Ray still lists a node that has just died; nobody listens at its address."""
    import grpc

    from quasar.training.capacity import usage as memory

    def nobody_listens(state):
        call = grpc.insecure_channel("127.0.0.1:1").unary_unary("/any/method")
        return call(b"", timeout=scaled(5))

    monkeypatch.setattr(memory, "get_memory_info_reply", nobody_listens)
    monkeypatch.setattr(memory, "get_state_from_address", lambda address: None)
    monkeypatch.setattr(memory.ray, "get_runtime_context", lambda: SimpleNamespace(gcs_address=""))
    assert memory.object_store_bytes() is None


@pytest.fixture
def dead_addresses():
    """Where nothing listens, where something else does, and a name that nobody has."""
    with socket.socket() as other, socket.socket() as closed:
        other.bind(("0.0.0.0", 0))
        other.listen()
        closed.bind(("0.0.0.0", 0))
        yield {
            f"127.0.0.1:{closed.getsockname()[1]}": "refused",
            f"ray://127.0.0.1:{closed.getsockname()[1]}": "refused",
            f"127.0.0.1:{other.getsockname()[1]}": "something listens there, but no Ray cluster",
            "nobody.invalid:6379": "not known",
            "http://127.0.0.1:8265": "dashboard",
            "one": "Invalid address",
        }


def test_a_cluster_that_does_not_answer_is_one_line(dead_addresses, monkeypatch):
    """Ray's own connection tries a dead one for a quarter of an hour."""
    monkeypatch.setattr(runtime, "CLUSTER_TIMEOUT_S", 2.0)
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # another test's may be up
    for address, reason in dead_addresses.items():
        for setting in ("cluster.address", "RAY_ADDRESS"):
            if setting == "RAY_ADDRESS":
                monkeypatch.setenv("RAY_ADDRESS", address)
                config = load_config("laptop")
            else:
                config = load_config("laptop", [f"cluster.address={address}"])
            with pytest.raises(InputError, match=reason) as caught:
                runtime.init_ray(config)
            assert address in str(caught.value)
            assert "ray start --head" in str(caught.value)


def test_a_cluster_that_answers_is_found(local_ray):
    address = local_ray.get_runtime_context().gcs_address
    assert runtime.cluster_failure(address, timeout_s=20.0) is None
