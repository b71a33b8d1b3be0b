"""What a request for circuits comes to: its problem, its prompt, how to draw, within which limits.

Takes the request and the endpoint's models; gives a `SearchPlan` under the configuration of the
model that answers it, or raises `RequestRefused` for all that is wrong with the request.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from quasar.circuits.ansatz import get_ansatz
from quasar.config import QuasarConfig, ToolName
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.prompts import build_messages, named_form, record_messages
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import TaskRecord, is_task_row
from quasar.episodes.sampling import for_turns
from quasar.errors import InputError, ProblemError, TaskError
from quasar.policy.program_form import program_form, record_form
from quasar.problems import ProblemInstance
from quasar.schema.chat import VERIFIED
from quasar.schema.circuits import MAX_SEED, CircuitRequest
from quasar.schema.verify import to_instance
from quasar.schema.words.reader import read_problem
from quasar.schema.words.tasks import read_task
from quasar.serving.errors import RequestRefused, bad_problem, no_model, over_limit
from quasar.serving.models import ServedModel, ServedModels
from quasar.serving.search import SearchPlan
from quasar.serving.trained_range import outside_training, task_outside_training
from quasar.tasks import get_task
from quasar.tasks.base import AnyInstance, TaskInstance
from quasar.tasks.words import AskedInstance
from quasar.verification.facts import MAX_ENUMERATED_QUBITS


def plan_search(request: CircuitRequest, models: ServedModels, *, stream: bool) -> SearchPlan:
    """All that is to be done. stream: with events for the text as it grows.

    Raises RequestRefused: 404 where there is no such model, or none at all, 422 where it is not
    possible.
    """
    model, stated = _model_and_task(request, models)
    config = model.config
    serving, dataset = config.serving, config.dataset
    default = min(serving.samples, serving.max_samples)
    samples = default if request.samples is None else request.samples
    if samples > serving.max_samples:
        raise over_limit("samples", samples, serving.max_samples)
    if request.turns > serving.max_turns:
        raise over_limit("turns", request.turns, serving.max_turns)
    if request.budget_s is not None and request.budget_s > serving.request_timeout_s:
        raise over_limit("budget_s", request.budget_s, serving.request_timeout_s)
    if request.ansatz is not None:
        try:
            get_ansatz(request.ansatz)
        except InputError as error:
            raise RequestRefused(
                422, str(error), field="ansatz", hint="name one of these"
            ) from error
    record = None if stated else _record(request, config)
    if stated is not None:
        problem: AnyInstance = stated.instance
    else:
        problem = _problem(request, config) if record is None else record.problem
    tools = _tools(request, problem, config)
    constrained = request.constrained
    if constrained is None:
        constrained = config.generation.constrained
    common: dict[str, Any] = {
        "model": model,
        "samples": samples,
        "generation": for_turns(config.generation, request.turns).model_copy(
            update={
                "temperature": _first(request.temperature, serving.temperature),
                "top_p": serving.top_p,
                "constrained": constrained,
                "tools": tools,
                "plan_order": "varied",  # the best of the candidates is answered
            }
        ),
        "seed": secrets.randbelow(MAX_SEED) if request.seed is None else request.seed,
        "limit_s": _first(request.budget_s, serving.request_timeout_s),
        "device": request.device,
        "alternatives": request.alternatives,
        "draw": request.draw,
        "stream": stream,
    }
    if stated is not None:
        return _task_plan(stated, request, config, common)
    assert isinstance(problem, ProblemInstance)
    own = (None, None) if record is None else named_form(record, style=dataset.prompts)
    ansatz = _first(request.ansatz, own[0], serving.ansatz)
    layers = _first(request.layers, own[1], serving.layers)
    messages = build_messages(problem, ansatz=ansatz, layers=layers, style=dataset.prompts)
    return SearchPlan(
        problem=problem,
        messages=tuple(messages),
        **common,
        form=program_form(problem, ansatz=ansatz, layers=layers, settings=dataset),
        style=request.style,
        ansatz=request.ansatz,
        warnings=tuple(
            outside_training(config, problem, ansatz=ansatz, layers=layers, constrained=constrained)
        ),
    )


def _model_and_task(
    request: CircuitRequest, models: ServedModels
) -> tuple[ServedModel, AskedInstance | None]:
    """Who answers, and what is asked of a task other than graph problems (None: it is of those)."""
    if not models:
        raise no_model()
    stated = _stated_task(request)
    # NAME:verified, as GET /v1/models lists it too, is the same here: all answers are verified.
    name = None if request.model is None else request.model.removesuffix(VERIFIED)
    task = GRAPH_TASK if stated is None else stated.instance.task
    field = next(n for n in ("problem", "row", "text") if getattr(request, n) is not None)
    return models.pick(task, name=name, field=field), stated


def _stated_task(request: CircuitRequest) -> AskedInstance | None:
    """What a request asks of a task other than graph problems; None where it is of those."""
    try:
        if request.text is not None:
            return read_task(request.text)
        if is_task_row(request.row):
            record = TaskRecord.from_dict({"sample_index": 0, **(request.row or {})})
            return AskedInstance(record.problem)
    except (TaskError, InputError) as error:
        field = "row" if request.text is None else "text"
        raise RequestRefused(
            422, str(error), field=field, hint="quasar tasks show NAME tells what a task takes"
        ) from error
    return None


def _task_plan(
    stated: AskedInstance, request: CircuitRequest, config: QuasarConfig, common: Mapping[str, Any]
) -> SearchPlan:
    """As `plan_search`, of a task other than graph problems. Raises RequestRefused for what such a
    request does not have.
    """
    for name in ("ansatz", "layers", "style"):
        if getattr(request, name) is not None:
            raise RequestRefused(
                422,
                f"{name}: is of graph problems, {stated.instance.task} has none",
                field=name,
                hint="ask without it",
            )
    record = TaskRecord(0, stated.instance)
    return SearchPlan(
        problem=stated.instance,
        messages=tuple(record_messages(record, style=config.dataset.prompts)),
        **common,
        form=record_form(record, config.dataset),
        warnings=(*stated.notes, *task_outside_training(config, stated.instance)),
    )


def _tools(
    request: CircuitRequest, problem: AnyInstance, config: QuasarConfig
) -> tuple[ToolName, ...]:
    """Those asked for. Raises RequestRefused for one that cannot be used here."""
    generation = config.generation
    if isinstance(problem, TaskInstance):
        return _task_tools(request, problem, config)
    if request.tools is None:
        return generation.tools
    if generation.tool_format == "chat_template" and not set(request.tools) <= {*generation.tools}:
        raise RequestRefused(
            422,
            f"tools: the model of this endpoint was told of {', '.join(generation.tools)}",
            field="tools",
            hint="ask for these, or start the endpoint with generation.tools=[verify,optimise]",
        )
    if "optimise" in request.tools and problem.num_qubits > MAX_ENUMERATED_QUBITS:
        raise RequestRefused(
            422,
            f"tools: optimise takes up to {MAX_ENUMERATED_QUBITS} qubits, the problem has "
            f"{problem.num_qubits}",
            field="tools",
            hint="ask for verify alone",
        )
    return request.tools


def _task_tools(
    request: CircuitRequest, problem: TaskInstance, config: QuasarConfig
) -> tuple[ToolName, ...]:
    """Likewise, for a task: its answers are optimised where they have an objective."""
    tunable = get_task(problem.task).tunable
    if request.tools is None:
        return config.generation.tools if tunable else ("verify",)
    if "optimise" in request.tools and not tunable:
        raise RequestRefused(
            422,
            f"tools: optimise has no energy to lower in answers to {problem.task}",
            field="tools",
            hint="ask for verify alone",
        )
    return request.tools


def _record(request: CircuitRequest, config: QuasarConfig) -> ProblemRecord | None:
    """The row of a request that states one; its encoding, Hamiltonian and family are kept."""
    if request.row is None:
        return None
    row = {"sample_index": 0, **request.row}  # a row of a request needs no place in a file
    # One that names no family of its own leaves it to the endpoint, as a graph does.
    if not {"ansatz", "optimization_type"} & row.keys():
        row["ansatz"] = config.serving.ansatz
    if row.get("n_layers") is None:
        row["n_layers"] = config.serving.layers
    try:
        return ProblemRecord.from_dict(row, max_qubits=config.verification.max_qubits)
    except InputError as error:
        raise bad_problem(str(error), field="row") from error


def _problem(request: CircuitRequest, config: QuasarConfig) -> ProblemInstance:
    field = "problem" if request.text is None else "text"
    try:
        stated = request.problem
        if stated is None:
            assert request.text is not None  # one of the two, by the model's validator
            stated = read_problem(request.text)
        return to_instance(stated, max_qubits=config.verification.max_qubits)
    except ProblemError as error:
        raise bad_problem(str(error), field=field) from error


def _first(*values: Any) -> Any:
    """The first that is given; 0 is given."""
    return next(value for value in values if value is not None)
