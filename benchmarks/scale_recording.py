"""What `benchmarks/scale.py` takes from a real run, and from a real Ray.

    python benchmarks/scale_recording.py RUN        # writes benchmarks/scale.json

RUN is a finished run of `quasar train`: its step log has the seconds of each update's rollouts,
update and publication. Ray's share of a call is measured on a local Ray with two actors that do
nothing (a minute): processor seconds of the driver's thread, without the pickling that the
simulation does itself.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import ray
from ray import cloudpickle
from simulated_ray import RayCosts

from quasar.config import load_config
from quasar.errors import InputError, QuasarError
from quasar.runtime import init_ray
from quasar.system.run_paths import RunPaths
from quasar.training.capacity.usage import object_store_bytes
from quasar.training.state import StepLog

RECORDED = Path(__file__).with_suffix("").with_name("scale.json")
SKIPPED = 5  # first updates of a run, which compile kernels and fill caches
CALLS, TRIES = 300, 3


@dataclass(frozen=True, slots=True)
class Recording:
    """A run's figures. Lists: one entry an update."""

    source: str
    rollout_s: tuple[float, ...]  # the slower worker's seconds for one rollout, its grade included
    token_s: tuple[float, ...]  # a learner's seconds for one trained token
    sync_s: float  # from the learners' weights to those of all workers, median
    response_tokens: int  # of a rollout, median
    trained_tokens: int  # of these, trained on, median


def read_run(directory: Path) -> Recording:
    """Of a run of `quasar train`. Raises InputError where it has no updates of GRPO."""
    run = RunPaths(directory)
    rows = [r for r in StepLog.read(run.grpo.steps) if "seconds/update" in r]
    if len(rows) <= SKIPPED:
        raise InputError(
            f"{run.grpo.steps}: {len(rows)} updates of GRPO, more than {SKIPPED} are needed; give "
            "the directory of a run of `quasar train`"
        )
    config, rows = load_config(run.config_file), rows[SKIPPED:]
    workers, ranks = config.rollout.num_workers, config.learner.num_learners
    each = [r["episodes_received"] / workers for r in rows]
    shares = [r["seconds/generate"] + r["seconds/verify"] for r in rows]
    return Recording(
        source=f"preset {config.run.name}, {len(rows)} updates of "
        f"{rows[0]['episodes_received']:.0f} rollouts on {workers} rollout workers and {ranks} "
        "learners",
        rollout_s=tuple(_short(s / n) for s, n in zip(shares, each, strict=True)),
        token_s=tuple(_short(r["seconds/update"] * ranks / r["trained_tokens"]) for r in rows),
        sync_s=_short(statistics.median(r["seconds/sync"] for r in rows)),
        response_tokens=round(statistics.median(r["response_tokens"] for r in rows)),
        trained_tokens=round(
            statistics.median(r["trained_tokens"] / r["episodes_received"] for r in rows)
        ),
    )


def load() -> tuple[Recording, RayCosts]:
    """What is recorded beside this file."""
    found = json.loads(RECORDED.read_text())
    lists = {k: tuple(v) if isinstance(v, list) else v for k, v in found["run"].items()}
    return Recording(**lists), RayCosts(**found["ray"])


def measure_ray() -> RayCosts:
    """Starts a local Ray and ends it."""
    init_ray(load_config("laptop"), cpus=1)

    @ray.remote(num_cpus=0)
    class Idle:
        def apply(self, value, give: int = 0):
            return os.urandom(give), None

    try:
        actors = [Idle.remote() for _ in range(2)]
        ray.get([actor.apply.options(num_returns=2).remote(0)[0] for actor in actors])
        return _measured(actors)
    finally:
        ray.shutdown()


def _measured(actors: list) -> RayCosts:
    small, large = 1_000, 1_000_000

    def call(number: int, size: int, give: int = 0) -> list:
        value = os.urandom(size)
        apply = [a.apply for a in actors]
        return [apply[i % 2].options(num_returns=2).remote(value, give)[0] for i in range(number)]

    def submitted(size: int) -> float:
        message = os.urandom(size)
        pickled = _each(
            CALLS, lambda: [cloudpickle.dumps(((message, 0), {})) for _ in range(CALLS)]
        )
        return _each(CALLS, lambda: call(CALLS, size)) - pickled

    def got(size: int) -> float:
        def arrived() -> list:
            refs = call(CALLS // 4, 0, size)
            ray.wait(refs, num_returns=len(refs))
            return refs

        fresh = iter([arrived() for _ in range(TRIES)])
        return _each(CALLS // 4, lambda: [ray.get(ref) for ref in next(fresh)])

    def waited(number: int) -> float:
        refs = call(number, 0)
        ray.wait(refs, num_returns=number)
        return _each(20, lambda: [ray.wait(refs, num_returns=1) for _ in range(20)])

    def put(value) -> float:
        return _each(20, lambda: [ray.put(value) for _ in range(20)])

    def written(value) -> int:
        context = ray._private.worker.global_worker.get_serialization_context()
        return context.serialize(value).total_bytes

    call(CALLS, 0)
    submit, submit_large = submitted(small), submitted(large // 10)
    get, get_large = got(small), got(large)
    few, many = 8, 512
    wait, wait_many = waited(few), waited(many)
    wait_ref = max(0.0, (wait_many - wait) / (many - few))
    refs = [ray.put(i) for i in range(100)]
    empty = put([])
    # A handle that came by a message is another object: none is written as a copy of an earlier.
    handles = [ray.get(ray.put(actors[0])) for _ in range(100)]
    trips = []
    for _ in range(100):
        started = time.perf_counter()
        ray.get(actors[0].apply.options(num_returns=2).remote(0)[0])
        trips.append(time.perf_counter() - started)
    return RayCosts(
        submit=_short(submit),
        submit_byte=_short(max(0.0, (submit_large - submit) / (large // 10 - small))),
        get=_short(get),
        get_byte=_short(max(0.0, (get_large - get) / (large - small))),
        wait=_short(max(0.0, wait - few * wait_ref)),
        wait_ref=_short(wait_ref),
        handle=_short(max(0.0, (put(handles) - empty) / len(handles))),
        handle_bytes=round(written(handles) / len(handles)),
        ref=_short(max(0.0, (put(refs) - empty) / len(refs))),
        ref_bytes=round(written(refs) / len(refs)),
        store_usage=_short(_each(20, lambda: [object_store_bytes() for _ in range(20)])),
        round_trip=_short(min(trips)),
    )


def _each(number: int, work: Callable[[], object]) -> float:
    """Processor seconds of this thread for one of `number`: the median of several tries."""
    found = []
    for _ in range(TRIES):
        started = time.thread_time()
        work()
        found.append((time.thread_time() - started) / number)
    return statistics.median(found)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="directory of a finished run of `quasar train`")
    arguments = parser.parse_args()
    try:
        run = read_run(arguments.run)
    except QuasarError as error:
        parser.error(str(error))
    RECORDED.write_text(json.dumps({"run": asdict(run), "ray": asdict(measure_ray())}) + "\n")
    print(RECORDED.read_text())


if __name__ == "__main__":
    main()
