"""Ray as a driver sees it, in simulated time: one processor that is real, nodes that are not.

Takes the driver's calls (`.remote`, `ray.wait`, `ray.get`, `ray.kill`) and answers them from
`Actor`s, plain objects whose methods say how long their work takes. What the driver computes is
measured in seconds of its processor and moves the clock; so does writing and reading its messages,
which are really pickled, and Ray's own share of each call (`RayCosts`). What actors compute is not
measured: it lasts as long as they say.
"""

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import ray
from ray import cloudpickle
from ray.exceptions import ActorUnavailableError, RayActorError, RayError
from simulated_clock import Processor

from quasar.training.rllib import collector, group, grpo
from quasar.verification.execution import pool


@dataclass(frozen=True, slots=True)
class RayCosts:
    """Processor seconds of the driver's thread within Ray, beside pickling."""

    submit: float = 0.0  # a call of an actor
    submit_byte: float = 0.0  # of its arguments
    get: float = 0.0  # a result
    get_byte: float = 0.0
    wait: float = 0.0  # a call of ray.wait
    wait_ref: float = 0.0  # each reference in it
    handle: float = 0.0  # writing an actor's handle into a message
    handle_bytes: int = 0
    ref: float = 0.0  # writing a reference into one
    ref_bytes: int = 0
    store_usage: float = 0.0  # asking for the use of the object store
    round_trip: float = 0.0  # seconds of the clock until an idle actor's answer is there


class Actor:
    """What an actor's process does; a subclass adds the methods that the driver calls.

    `seconds` is how long the call under way takes; a method sets it.
    """

    node: "Node"
    seconds: float = 0.0

    def begin(self) -> None:
        """A new process: nothing is left of what the old one held."""


@dataclass
class Node:
    """A machine that fails, now and then, with the actors on it."""

    number: int
    next_failure: Callable[[], float] = lambda: float("inf")  # seconds from its start to the next
    detected_s: float = 0.0  # from a failure until the driver hears of it
    restart_s: float = 0.0  # from a failure until its actors are back
    actors: list[Actor] = field(default_factory=list)
    failures: int = 0
    down_at: float = field(init=False)

    def __post_init__(self):
        self.down_at = self.next_failure()

    def at(self, now: float) -> bool:
        """Whether it is up then; failures that lie before are over."""
        while self.down_at + self.restart_s <= now and self.down_at < float("inf"):
            self.failures += 1
            for actor in self.actors:
                actor.begin()
            self.down_at += self.restart_s + self.next_failure()
        return now < self.down_at


@dataclass
class Call:
    """One call of an actor: its answer, or its error, is with the driver at `ready`."""

    ready: float
    blob: bytes = b""
    error: RayError | None = None


class Ref(ray.ObjectRef):
    """A reference to an answer."""

    call: Call
    cluster: "Cluster"

    def __reduce__(self):
        costs = self.cluster.costs
        self.cluster.processor.charge(costs.ref)
        return bytes, (bytes(costs.ref_bytes),)


class Handle:
    """An actor as the driver holds it."""

    def __init__(self, cluster: "Cluster", actor: Actor):
        self.cluster, self.actor = cluster, actor
        self.free = 0.0  # when its last call ends

    def __getattr__(self, name: str) -> "Method":
        if name.startswith("_"):
            raise AttributeError(name)
        return Method(self, name)

    def __reduce__(self):
        costs = self.cluster.costs
        self.cluster.processor.charge(costs.handle)
        return bytes, (bytes(costs.handle_bytes),)


class Method:
    """A method of an actor's handle."""

    def __init__(self, handle: Handle, name: str, num_returns: int = 1):
        self._handle, self._name, self._num_returns = handle, name, num_returns

    def options(self, *, num_returns: int) -> "Method":
        return Method(self._handle, self._name, num_returns)

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        cluster = self._handle.cluster
        return cluster.submit(self._handle, self._name, args, kwargs, self._num_returns)


class Cluster:
    """Nodes, their actors, and what stands for the module `ray`."""

    def __init__(self, processor: Processor, costs: RayCosts | None = None):
        self.processor, self.costs = processor, costs or RayCosts()
        self.nodes: list[Node] = []
        self.bytes_sent = self.bytes_received = 0
        self._together: dict[str, list[Call]] = {}  # calls of one group, by method

    def add(self, actor: Actor, node: Node) -> Handle:
        """Place an actor."""
        actor.node = node
        node.actors.append(actor)
        actor.begin()
        return Handle(self, actor)

    @property
    def failures(self) -> int:
        """Of nodes, so far."""
        now = self.processor.now
        return sum(node.failures + (not node.at(now)) for node in self.nodes)

    def ref(self, call: Call) -> Ref:
        """A new reference."""
        made = Ref(os.urandom(28))
        made.call, made.cluster = call, self
        return made

    # What the driver calls -----------------------------------------------------------------------

    def submit(self, handle: Handle, method: str, args: tuple, kwargs: dict, num_returns: int):
        """A call of an actor's method, which begins when the actor is free."""
        message = cloudpickle.dumps((args, kwargs))  # the driver's work
        processor, costs = self.processor, self.costs
        with processor.outside():
            processor.charge(costs.submit + costs.submit_byte * len(message))
            self.bytes_sent += len(message)
            call = self._carry_out(handle, method, message, num_returns)
            refs = [self.ref(call)] + [self.ref(Call(call.ready)) for _ in range(num_returns - 1)]
        return refs[0] if num_returns == 1 else refs

    def _carry_out(self, handle: Handle, method: str, message: bytes, num_returns: int) -> Call:
        actor, node, trip = handle.actor, handle.actor.node, self.costs.round_trip / 2
        start = max(self.processor.now + trip, handle.free)
        if not node.at(start):
            if method == "status":  # is repeated until the actor is back
                start = node.down_at + node.restart_s
                node.at(start)
            else:
                return Call(start + trip, error=ActorUnavailableError("its node is down", None))
        actor.seconds = 0.0
        args, kwargs = pickle.loads(message)
        value = getattr(actor, method)(*args, **kwargs)
        end = start + actor.seconds
        if node.down_at < end:
            handle.free = node.down_at + node.restart_s
            return Call(max(start, node.down_at + node.detected_s), error=RayActorError())
        handle.free = end
        call = Call(end + trip, cloudpickle.dumps(value[0] if num_returns > 1 else value))
        if size := getattr(actor, "world_size", 0):  # all ranks end together
            calls = self._together.setdefault(method, [])
            calls.append(call)
            if len(calls) == size:
                last = max(other.ready for other in self._together.pop(method))
                for other in calls:
                    other.ready = last
        return call

    def wait(self, refs: Sequence[Ref], *, num_returns=1, timeout=None, fetch_local=True):
        """As ray.wait."""
        processor, costs = self.processor, self.costs
        with processor.outside():
            processor.charge(costs.wait + costs.wait_ref * len(refs))
            limit = float("inf") if timeout is None else processor.now + timeout
            enough = sorted(ref.call.ready for ref in refs)[num_returns - 1]
            processor.wait(min(enough, limit))
            now = processor.now
            done = [ref for ref in refs if ref.call.ready <= now][:num_returns]
            chosen = set(done)
            rest = [ref for ref in refs if ref not in chosen]
        return done, rest

    def get(self, refs: Ref | Sequence[Ref], *, timeout=None) -> Any:
        """As ray.get."""
        if not isinstance(refs, Ref):
            return [self.get(ref) for ref in refs]
        processor, costs, call = self.processor, self.costs, refs.call
        with processor.outside():
            processor.wait(call.ready)
            processor.charge(costs.get + costs.get_byte * len(call.blob))
            self.bytes_received += len(call.blob)
        if call.error is not None:
            raise call.error
        return pickle.loads(call.blob)  # the driver's work

    def put(self, value: Any) -> Ref:
        """As ray.put."""
        blob = cloudpickle.dumps(value)  # the driver's work
        with self.processor.outside():
            self.processor.charge(self.costs.submit + self.costs.submit_byte * len(blob))
            return self.ref(Call(self.processor.now, blob))

    def kill(self, handle: Handle, *, no_restart: bool = True) -> None:
        """As ray.kill: the actor's process begins anew."""
        with self.processor.outside():
            node, now = handle.actor.node, self.processor.now
            if node.at(now):
                node.down_at = now
            handle.free = node.down_at + node.restart_s

    def monotonic(self) -> float:
        """As time.monotonic."""
        self.processor.settle()
        return self.processor.now

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        """As time.sleep."""
        self.processor.settle()
        self.processor.wait(self.processor.now + seconds)

    def object_store_bytes(self) -> int:
        """As `quasar.training.capacity.usage.object_store_bytes`."""
        self.processor.charge(self.costs.store_usage)
        return 0

    @contextmanager
    def in_place_of_ray(self) -> Iterator[None]:
        """The driver's code calls this instead of Ray and of the machine's clock."""
        from ray.rllib.utils import actor_manager

        with ExitStack() as stack:
            for module in (collector, group, pool, actor_manager):
                stack.enter_context(mock.patch.object(module, "ray", self))
            for module in (collector, grpo):
                stack.enter_context(mock.patch.object(module, "time", self))
            stack.enter_context(
                mock.patch.object(grpo, "object_store_bytes", self.object_store_bytes)
            )
            yield
