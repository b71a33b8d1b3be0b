"""What the client sends: the address, the key, and bodies made of the endpoint's own models."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from quasar.client.errors import BadRequest
from quasar.config import DeviceName, StyleName, ToolName
from quasar.errors import InputError, QuasarError
from quasar.schema.circuits import CircuitRequest
from quasar.schema.verify import Problem, VerifyRequest, explain

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE, KEY_VARIABLE = "QUASAR_URL", "QUASAR_API_KEY"
Answer = TypeVar("Answer")


class CircuitOptions(TypedDict, total=False):
    """What `circuit` and `stream` may be told; what is not given the endpoint chooses."""

    samples: int  # candidates a turn
    turns: int  # model turns; between two turns the model reads what the tool found
    tools: Sequence[ToolName]  # verify, and optimise: angles are made better before it is judged
    budget_s: float  # seconds; what is best when they are over is answered
    temperature: float  # (0, 5]
    constrained: bool  # hold the model to valid programs
    ansatz: str  # family that the prompt asks for: qaoa, ma_qaoa, sim_1 to sim_19, adaptive
    layers: int  # of that family
    device: DeviceName  # compile the best circuit for this device
    alternatives: int  # next best circuits to answer, 0 to 10
    seed: int  # same seed, same candidates
    style: StyleName  # how the program is written; not given: as the model wrote it
    draw: bool  # tell in the report how the best circuit is drawn
    model: str  # which one answers; not given: the first that was trained on the task


@dataclass(frozen=True, slots=True)
class Ask(Generic[Answer]):
    """One call. read: what its body says; good: the statuses that `read` takes."""

    method: str
    path: str
    read: Callable[[bytes], Answer]
    body: bytes | None = None
    streams: bool = False
    good: tuple[int, ...] = (200,)


def read_url(url: str | None) -> str:
    """The address without a slash at its end: given, or of QUASAR_URL, or of this machine.

    Raises InputError for what is no address.
    """
    name, given = "url", url
    if given is None:
        name, given = URL_VARIABLE, os.environ.get(URL_VARIABLE) or DEFAULT_URL
    hint = f"write it as {DEFAULT_URL} or https://host/prefix"
    try:
        read = httpx.URL(given.strip())
    except (httpx.InvalidURL, TypeError, AttributeError) as error:
        raise InputError(f"{name} {given!r:.200} is no address ({error}); {hint}") from None
    if read.userinfo:  # not shown: it may hold a password
        raise InputError(f"{name} holds a user or a password; the endpoint takes a key: api_key")
    if read.scheme not in ("http", "https") or not read.host or read.query or read.fragment:
        raise InputError(f"{name} {given!r:.200} is no address of an endpoint; {hint}")
    return str(read).rstrip("/")


def read_key(key: str | None) -> str | None:
    """The key: given, or of QUASAR_API_KEY, or none. Raises InputError, which does not show it."""
    name, given = "api_key", key
    if given is None:
        name, given = KEY_VARIABLE, os.environ.get(KEY_VARIABLE)
    given = given.strip() if isinstance(given, str) else given
    if not given:
        return None
    if not isinstance(given, str) or re.fullmatch(r"[!-~]+", given) is None:
        raise InputError(f"{name} is no key: give one word, as quasar keys new prints it")
    return given


def circuit_body(problem: Any, options: Mapping[str, Any], *, stream: bool) -> bytes:
    """Body of POST /v1/circuits. Raises BadRequest; TypeError for an option that there is not."""
    unknown = sorted(options.keys() - CircuitOptions.__annotations__.keys())
    if unknown:
        known = ", ".join(CircuitOptions.__annotations__)
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; there are: {known}")
    stated = {"text": problem} if isinstance(problem, str) else _stated(problem)
    given = {name: value for name, value in options.items() if value is not None}
    return _body(CircuitRequest, {**stated, **given, "stream": stream})


def verify_body(circuit: Any, problem: Any, **options: Any) -> bytes:
    """Body of POST /v1/verify. Raises BadRequest."""
    from quasar.circuits.foreign import program_of

    try:
        program = circuit if circuit is None else program_of(circuit)
    except QuasarError as error:
        hint = "give OpenQASM text, or a circuit of Qiskit, PennyLane or pytket"
        raise BadRequest(str(error), hint, field="circuit") from None
    return _body(VerifyRequest, {"circuit": program, **_stated(problem), **options})


def _stated(problem: Any) -> dict[str, Any]:
    """A problem as its field; a row of a file, known by `problem_type` or `task`, so.

    Words, a path and objects of other libraries are read here (`quasar.read_problem`).
    """
    if isinstance(problem, Mapping):
        name = "row" if {"problem_type", "task"} & problem.keys() else "problem"
        return {name: dict(problem)}
    if isinstance(problem, Problem) or (
        type(problem).__module__ == "builtins" and not isinstance(problem, str)
    ):
        return {"problem": problem}
    from quasar.schema.sources import read_problem_from

    try:
        return {"problem": read_problem_from(problem)}
    except QuasarError as error:
        hint = "quasar.read_problem(source, primitive) takes a graph with its problem's name"
        raise BadRequest(str(error), hint, field="problem") from None


def _body(model: type[BaseModel], values: dict[str, Any]) -> bytes:
    try:
        request = model.model_validate(values)
    except ValidationError as error:
        place = error.errors(include_url=False)[0]["loc"]
        hint = "docs/endpoint.md says what it may be"
        if place[:1] == ("problem",):
            hint = (
                "give {'primitive': …, 'graph': …, 'attributes': …}, a quasar.Problem or a row of "
                "a problem file"
            )
        raise BadRequest(explain(error), hint, field=".".join(map(str, place)) or None) from None
    try:
        text = json.dumps(
            request.model_dump(exclude_unset=True), allow_nan=False, default=_plain_value
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(
            f"the problem cannot be written as JSON: {error}",
            "use numbers, text, lists and objects",
            field="problem",
        ) from None
    return text.encode()


def _plain_value(value: Any) -> Any:
    """Sets as lists, numpy's numbers and arrays as Python's."""
    if isinstance(value, set | frozenset):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r:.60}")
