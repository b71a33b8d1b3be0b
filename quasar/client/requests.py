"""What the client sends: the address, the key, and bodies made of the endpoint's own models."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from quasar.client.errors import BadRequest
from quasar.config import DeviceName
from quasar.errors import InputError
from quasar.serving.schema import CircuitRequest
from quasar.tool.schema import Problem, VerifyRequest, explain

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE, KEY_VARIABLE = "QUASAR_URL", "QUASAR_API_KEY"
Answer = TypeVar("Answer")


class CircuitOptions(TypedDict, total=False):
    """What `circuit` and `stream` may be told; what is not given the endpoint chooses."""

    samples: int  # candidates a turn
    turns: int  # model turns; between two turns the model reads what the tool found
    budget_s: float  # seconds; what is best when they are over is answered
    temperature: float  # (0, 5]
    constrained: bool  # hold the model to valid programs
    ansatz: str  # family that the prompt asks for: qaoa, ma_qaoa, sim_1 to sim_19, adaptive
    layers: int  # of that family
    device: DeviceName  # compile the best circuit for this device
    alternatives: int  # next best circuits to answer, 0 to 10
    seed: int  # same seed, same candidates
    draw: bool  # tell in the report how the best circuit is drawn


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
    mend = f"write it as {DEFAULT_URL} or https://host/prefix"
    try:
        read = httpx.URL(given.strip())
    except (httpx.InvalidURL, TypeError, AttributeError) as error:
        raise InputError(f"{name} {given!r:.200} is no address ({error}); {mend}") from None
    if read.userinfo:  # not shown: it may hold a password
        raise InputError(f"{name} holds a user or a password; the endpoint takes a key: api_key")
    if read.scheme not in ("http", "https") or not read.host or read.query or read.fragment:
        raise InputError(f"{name} {given!r:.200} is no address of an endpoint; {mend}")
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


def circuit_body(
    problem: Problem | Mapping[str, Any] | str, options: Mapping[str, Any], *, stream: bool
) -> bytes:
    """Body of POST /v1/circuits. Raises BadRequest; TypeError for an option that there is not."""
    unknown = sorted(options.keys() - CircuitOptions.__annotations__.keys())
    if unknown:
        known = ", ".join(CircuitOptions.__annotations__)
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; there are: {known}")
    stated = {"text": problem} if isinstance(problem, str) else {"problem": _problem(problem)}
    given = {name: value for name, value in options.items() if value is not None}
    return _body(CircuitRequest, {**stated, **given, "stream": stream})


def verify_body(circuit: str, problem: Problem | Mapping[str, Any], **options: Any) -> bytes:
    """Body of POST /v1/verify. Raises BadRequest."""
    return _body(VerifyRequest, {"circuit": circuit, "problem": _problem(problem), **options})


def _problem(problem: Any) -> Any:
    return dict(problem) if isinstance(problem, Mapping) else problem


def _body(model: type[BaseModel], values: dict[str, Any]) -> bytes:
    try:
        request = model.model_validate(values)
    except ValidationError as error:
        place = error.errors(include_url=False)[0]["loc"]
        mend = "docs/endpoint.md says what it may be"
        if place[:1] == ("problem",):
            mend = "give {'primitive': …, 'graph': …, 'attributes': …} or a quasar.Problem"
        raise BadRequest(explain(error), mend, field=".".join(map(str, place)) or None) from None
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
