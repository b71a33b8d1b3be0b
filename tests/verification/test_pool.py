"""The verifier pool keeps its promises when workers hang, run out of memory, or die."""

import itertools
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.circuit import Circuit, Gate
from quasar.config import VerificationConfig
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.problems import build_instance
from quasar.verification.execution.dispatch import MAX_CHUNK, Dispatch, by_home, chunk_size, home
from quasar.verification.execution.pool import LocalVerifierPool, VerifierClient, VerifierPool
from quasar.verification.report import VerificationReport
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import Failed
from tests.support.machine import scaled

LIMIT_S = 1.0
CONFIG = VerificationConfig(
    num_workers=2, cpus_per_worker=0.5, time_limit_s=LIMIT_S, memory_limit_mb=300
)
PATH = {"nodes": [{"id": 0}, {"id": 1}, {"id": 2}], "edges": [
    {"source": 0, "target": 1}, {"source": 1, "target": 2}]}  # fmt: skip
PROBLEM = build_instance("vertex_cover", PATH)


def flips(state: int) -> str:
    """A program that prepares one basis state."""
    return Circuit(3, tuple(Gate("x", (q,)) for q in range(3) if state >> q & 1)).to_qasm()


def bitstrings(results) -> list[str]:
    return [report.distribution.most_probable[0].bitstring for report in results]


def expected(states) -> list[str]:
    return ["".join(str(1 - (s >> q & 1)) for q in range(3)) for s in states]


def trouble(config, formula):
    """A verifier that does what the text says; made here so that it travels by value."""
    from quasar.verification.execution.worker import make_verifier

    class Troubled:
        def __init__(self):
            self.inner = make_verifier(config, formula)

        def verify(self, problem, text, **options):
            if text.startswith("hang"):
                # Native code that holds the interpreter lock all the while.
                sum(range(10**11))
            if text.startswith("fill"):
                np.ones(600 << 20, np.uint8)
            if text.startswith("raise"):
                raise ValueError("a fault of ours")
            if text.startswith("die"):
                os.kill(os.getpid(), signal.SIGKILL)
            return self.inner.verify(problem, text, **options)

    return Troubled()


@pytest.fixture(scope="module")
def cluster(local_ray):
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(__import__(__name__))
    return local_ray


@pytest.fixture(scope="module")
def pool(cluster):
    pool = VerifierPool(CONFIG, verifier_factory=trouble)
    yield pool
    pool.close()


def test_local_pool_gives_one_result_for_each_check_in_order():
    states = [5, 0, 7, 2, 2]
    results = LocalVerifierPool(CONFIG).verify(
        [VerificationRequest(PROBLEM, flips(s)) for s in states]
    )
    assert bitstrings(results) == expected(states)


def test_local_pool_turns_an_exception_into_a_fault():
    pool = LocalVerifierPool(CONFIG, verifier_factory=trouble)
    results = pool.verify(
        [VerificationRequest(PROBLEM, "raise"), VerificationRequest(PROBLEM, flips(1))]
    )
    assert results[0] == Failed("error", "ValueError: a fault of ours")
    assert results[1].valid
    assert pool.stats().failed == {"error": 1}


MIXED = [
    make_candidate(Cell(primitive, size), seed=7, index=k)
    for primitive in ("vertex_cover", "hypermaxcut", "edge_cover")
    for size in (3, 5, 7)
    for k in (0, 1)
]


def mixed_checks(count: int) -> list[VerificationRequest]:
    """QAOA circuits of many problems, one after the other."""
    return [
        VerificationRequest(
            problem, qaoa_circuit(problem.hamiltonian, [0.03 * k], [-0.2]).to_qasm()
        )
        for k in range(count)
        for problem in MIXED
    ]


def measured(results) -> list:
    """All that does not hang on the clock."""
    return [(r.distribution, r.expectation, r.optimisation, r.skipped) for r in results]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_checks_wait_at_home_the_large_ones_first(workers):
    checks = mixed_checks(40)
    homes = by_home(Dispatch(["worker"] * workers, checks)._items, workers=workers)
    assert len(homes) == workers
    ids = [item.check_id for items in homes for item in items]
    assert len(set(ids)) == len(ids) == len(checks)
    for number, items in enumerate(homes):
        assert {home(item.check, workers) for item in items} <= {number}
        sizes = [item.check.problem.num_qubits for item in items]
        assert sizes == sorted(sizes, reverse=True)
        # A problem's checks stand together, so that it travels and is worked out once; in runs, so
        # that a costly problem is spread among those of its size.
        for _, group in itertools.groupby(items, key=lambda item: item.check.problem.num_qubits):
            keys = [item.check.problem.key for item in group]
            assert set(keys[: 8 * len(set(keys))]) == set(keys)
            assert sum(a != b for a, b in itertools.pairwise(keys)) < 6 * len(set(keys))


@given(waiting=st.integers(1, 10_000), workers=st.integers(1, 64), mean_s=st.floats(1e-9, 1e3))
def test_chunks_shrink_towards_the_end(waiting, workers, mean_s):
    size = chunk_size(waiting, workers=workers, mean_s=mean_s)
    assert 1 <= size <= MAX_CHUNK
    assert size >= chunk_size(waiting // 2 + 1, workers=workers, mean_s=mean_s)
    assert size == 1 or size * mean_s <= 0.05  # no worker sits on much that another could do
    if waiting >= 1000 * workers:
        assert size == MAX_CHUNK or size * mean_s >= 0.015  # nor is the caller kept busy


def test_no_worker_gives_a_fault_for_each():
    assert Dispatch([], []).run() == []
    results = Dispatch([], mixed_checks(1)).run()
    assert {result.kind for result in results} == {"worker"}
    assert len(results) == len(MIXED)


class Unsendable:
    """Stands for an actor that is sent what cannot be pickled, as Ray's own would say it."""

    @property
    def verify(self):
        return self

    def remote(self, batch):
        raise TypeError("cannot pickle\nthat")


def test_what_cannot_be_sent_is_a_fault():
    results = Dispatch([Unsendable()], mixed_checks(1)).run()
    assert results == [Failed("error", "cannot be sent: TypeError: cannot pickle that")] * len(
        MIXED
    )


@dataclass(frozen=True, slots=True)
class KilledWhileItLoads(VerificationRequest):
    """Its worker is killed from outside, three times, before any check is at work."""

    count: Path = Path()

    def warm_up(self, verifier):
        with self.count.open("a") as file:
            file.write("x")
        if self.count.stat().st_size <= 3:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.ray
def test_a_worker_that_is_killed_before_it_works_charges_no_check(pool, tmp_path):
    checks = [KilledWhileItLoads(PROBLEM, flips(s), count=tmp_path / "count") for s in (3, 1, 6, 2)]
    assert bitstrings(pool.verify(checks)) == expected([3, 1, 6, 2])
    assert (tmp_path / "count").stat().st_size > 3


@pytest.mark.ray
def test_grades_and_budget_are_those_of_one_process(pool):
    """Whichever worker is faster: the same reports, the same grants."""
    checks = mixed_checks(6)
    config = CONFIG.model_copy(update={"budget_s": 0.02})
    results = VerifierClient(pool.handles(), config).verify(checks)
    assert measured(results) == measured(LocalVerifierPool(config).verify(checks))
    refused = ["budget" in report.skipped.get("optimisation", "") for report in results]
    ran = [report.optimisation is not None for report in results]
    assert any(refused)
    assert any(ran)


@pytest.mark.ray
def test_killing_every_actor_in_the_middle_of_many_problems_loses_and_doubles_nothing(
    pool, cluster
):
    checks = mixed_checks(120)
    before = pool.stats()
    for number, handle in enumerate(pool.handles()):
        delay = 0.05 + 0.1 * number
        threading.Timer(delay, cluster.kill, [handle], {"no_restart": False}).start()
    results = pool.verify(checks)
    assert len(results) == len(checks)
    assert measured(results) == measured(LocalVerifierPool(CONFIG).verify(checks))
    after = pool.stats()
    assert after.restarts == before.restarts + 2
    assert after.timeouts == before.timeouts
    assert after.failed == before.failed


@pytest.mark.ray
def test_results_come_in_order_and_complete(pool):
    states = [k % 8 for k in range(70)]
    results = pool.verify([VerificationRequest(PROBLEM, flips(s)) for s in states])
    assert bitstrings(results) == expected(states)
    assert pool.verify([]) == []


@pytest.mark.ray
def test_a_fault_or_a_bad_program_does_not_disturb_the_others(pool):
    results = pool.verify(
        [VerificationRequest(PROBLEM, text) for text in ("raise", flips(3), "not a program")]
    )
    assert results[0] == Failed("error", "ValueError: a fault of ours")
    assert bitstrings(results[1:2]) == expected([3])
    assert isinstance(results[2], VerificationReport)
    assert not results[2].valid


@pytest.mark.ray
def test_memory_over_the_limit_is_a_fault_and_the_worker_lives(pool):
    before = pool.stats().restarts
    results = pool.verify(
        [VerificationRequest(PROBLEM, "fill"), VerificationRequest(PROBLEM, flips(6))]
    )
    assert results[0].kind == "memory"
    assert bitstrings(results[1:]) == expected([6])
    assert pool.stats().restarts == before


@pytest.mark.ray
def test_a_hanging_check_is_ended_at_its_limit_and_the_rest_is_kept(pool):
    before = pool.stats()
    texts = [flips(k % 8) for k in range(20)]
    texts[7] = "hang"
    results = pool.verify([VerificationRequest(PROBLEM, text) for text in texts])
    assert results[7] == Failed("timeout", "the verification was ended at its time limit")
    others = [k for k in range(20) if k != 7]
    assert bitstrings([results[k] for k in others]) == expected([k % 8 for k in others])
    after = pool.stats()
    assert after.timeouts - before.timeouts == 2  # the one try and its repetition
    assert after.healthy == 2


@pytest.mark.ray
def test_a_check_that_ends_its_process_is_tried_twice_then_a_fault(pool):
    results = pool.verify([VerificationRequest(PROBLEM, text) for text in ("die", flips(4))])
    assert results[0] == Failed("worker", "the verifier's process ended")
    assert bitstrings(results[1:]) == expected([4])


@pytest.mark.ray
def test_killing_an_actor_in_the_middle_loses_nothing(pool, cluster):
    states = [k % 8 for k in range(3000)]
    before = pool.stats().restarts
    killer = threading.Timer(0.1, cluster.kill, [pool.handles()[0]], {"no_restart": False})
    killer.start()
    results = pool.verify([VerificationRequest(PROBLEM, flips(s)) for s in states])
    assert not killer.is_alive(), "the batch was over before the actor was killed"
    assert bitstrings(results) == expected(states)
    assert pool.stats().restarts == before + 1


@pytest.mark.ray
def test_another_process_checks_on_the_same_actors(pool, cluster):
    @cluster.remote(num_cpus=0)
    def elsewhere(handles, checks):
        return VerifierClient(handles, CONFIG).verify(checks)

    checks = [VerificationRequest(PROBLEM, flips(s)) for s in (1, 2)]
    assert bitstrings(cluster.get(elsewhere.remote(pool.handles(), checks))) == expected([1, 2])


@pytest.mark.ray
def test_with_no_worker_left_every_check_is_a_fault(cluster):
    pool = VerifierPool(CONFIG.model_copy(update={"num_workers": 1, "cpus_per_worker": 0.0}))
    client = VerifierClient(pool.handles(), CONFIG)
    pool.close()
    results = client.verify([VerificationRequest(PROBLEM, flips(s)) for s in (1, 2, 3)])
    assert [result.kind for result in results] == ["worker"] * 3


def test_each_actor_has_a_bundle_of_its_own(cluster):
    """The bundles before them stay free, whatever order actors start in."""
    cpus, bundles = 0.125, [{"CPU": 0.125}] * 4
    config = CONFIG.model_copy(update={"cpus_per_worker": cpus})
    group = ray.util.placement_group(bundles)
    ray.get(group.ready(), timeout=scaled(30))

    @ray.remote(
        num_cpus=0,
        scheduling_strategy=PlacementGroupSchedulingStrategy(
            group, placement_group_capture_child_tasks=True
        ),
    )
    def work():
        pool = VerifierPool(config, first_bundle=2)
        in_use = []
        for index in range(len(bundles)):
            name = f"CPU_group_{index}_{group.id.hex()}"
            in_use.append(cpus - ray.available_resources().get(name, 0.0))
        pool.close()
        return in_use

    try:
        assert ray.get(work.remote(), timeout=scaled(120)) == [0.0, 0.0, cpus, cpus]
    finally:
        ray.util.remove_placement_group(group)
