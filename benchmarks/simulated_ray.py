"""Ray as a driver sees it, in simulated time: one processor that is real, nodes that are not.

Takes the driver's calls (`.remote`, `ray.wait`, `ray.get`, `ray.kill`) and answers them from
`Actor`s, plain objects whose methods say how long their work takes. What the driver computes is
measured in seconds of its processor and moves the clock; so does writing and reading its messages,
which are really pickled, and Ray's own share of each call (`RayCosts`). What actors compute is not
measured: it lasts as long as they say.

Several threads of a driver share its processor as they share Python's lock: one runs until it
waits, then the one whose answer comes first.
"""

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import ray
from ray import cloudpickle
from ray.exceptions import ActorUnavailableError, RayActorError, RayError

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


class _Ended(BaseException):
    """The run is over: what a thread still waits for will not come."""


class Processor:
    """The driver's processor and the simulated clock, in seconds."""

    def __init__(self, timer: Callable[[], float] = time.thread_time):
        """timer: processor seconds of the calling thread."""
        self.now = 0.0
        self.busy = 0.0  # seconds of `now` in which the driver computed
        self._timer = timer
        self._marks: dict[int, float | None] = {}  # thread -> when it began to compute
        self._turn = threading.Condition()
        self._running = threading.get_ident()
        self._parked: dict[int, tuple[float, Callable[[], bool] | None]] = {}
        self._ended = False
        self.resume()

    def charge(self, seconds: float) -> None:
        """The driver computes for so long."""
        self.now += seconds
        self.busy += seconds

    def settle(self) -> None:
        """Charge what this thread has computed since it was looked at last."""
        me = threading.get_ident()
        mark = self._marks.get(me)
        if mark is not None:
            here = self._timer()
            self.charge(here - mark)
            self._marks[me] = here

    def resume(self) -> None:
        """From here on this thread's work is the driver's."""
        self._marks[threading.get_ident()] = self._timer()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What is done here is not the driver's work."""
        me = threading.get_ident()
        inner = self._marks.get(me) is None
        if not inner:
            self.settle()
            self._marks[me] = None
        try:
            yield
        finally:
            if not inner:
                self.resume()

    def wait(self, until: float = float("inf"), ready: Callable[[], bool] | None = None) -> None:
        """Let this thread wait for a time of the clock, or for what another thread does."""
        with self.outside(), self._turn:
            me = threading.get_ident()
            self._parked[me] = (until, ready)
            self._pass_on()
            while self._running != me:
                self._turn.wait()
                if self._ended:
                    raise _Ended

    def begin(self, work: Callable[[], None]) -> None:
        """A further thread of the driver, which runs when others wait."""
        started = threading.Event()

        def run() -> None:
            me = threading.get_ident()
            with self._turn:
                self._parked[me] = (self.now, None)
                started.set()
                while self._running != me:
                    self._turn.wait()
                    if self._ended:
                        return
            self.resume()
            try:
                work()
            except _Ended:
                return
            self.settle()
            with self._turn:
                self._marks.pop(me)
                self._pass_on()

        threading.Thread(target=run, daemon=True).start()
        started.wait()

    def end(self) -> None:
        """Wake the threads that wait, to end."""
        with self._turn:
            self._ended = True
            self._turn.notify_all()

    def _pass_on(self) -> None:
        """The processor goes to whom it is ready for first."""

        def when(thread: int) -> float:
            until, ready = self._parked[thread]
            return min(until, self.now) if ready is not None and ready() else until

        first = min(self._parked, key=when)
        if when(first) == float("inf"):
            raise RuntimeError("all threads of the driver wait for each other")
        self.now = max(self.now, when(first))
        del self._parked[first]
        self._running = first
        self._turn.notify_all()


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


class Lock:
    """A lock between the driver's threads."""

    def __init__(self, processor: Processor):
        self._processor, self._held = processor, False

    def acquire(self, blocking: bool = True) -> bool:
        if self._held and not blocking:
            return False
        while self._held:
            self._processor.wait(ready=lambda: not self._held)
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: Any) -> None:
        self.release()


class Future:
    """What another of the driver's threads will have made."""

    def __init__(self, processor: Processor):
        self._processor = processor
        self._made: list[Any] = []
        self._error: BaseException | None = None

    def run(self, work: Callable[[], Any]) -> None:
        try:
            self._made.append(work())
        except Exception as error:
            self._error = error

    def done(self) -> bool:
        return bool(self._made) or self._error is not None

    def result(self) -> Any:
        if not self.done():
            self._processor.wait(ready=self.done)
        if self._error is not None:
            raise self._error
        return self._made[0]


class Threads:
    """A pool of one thread, as `concurrent.futures` has it."""

    def __init__(self, processor: Processor):
        self._processor = processor
        self._waiting: list[Callable[[], None]] = []
        self._at_work = False

    def submit(self, work: Callable[..., Any], *args: Any) -> Future:
        future = Future(self._processor)
        self._waiting.append(lambda: future.run(lambda: work(*args)))
        if not self._at_work:
            self._at_work = True
            with self._processor.outside():
                self._processor.begin(self._work)
        return future

    def _work(self) -> None:
        while self._waiting:
            self._waiting.pop(0)()
        self._at_work = False
