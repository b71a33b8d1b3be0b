"""The verification tool over the Model Context Protocol, for any agent.

Tools of the one schema: `verify_circuit`, `list_problems`, `describe_problem`, `list_tasks`,
`describe_task`. Circuits are
verified in a guarded child process, so that a hostile one ends the child and not the server. What a
caller did wrong comes back as an error result with one line that says so.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ValidationError

import quasar
from quasar.config import QuasarConfig
from quasar.errors import QuasarError
from quasar.runtime import require_free_port
from quasar.schema.catalogue import (
    DescribedProblem,
    DescribedTask,
    ProblemList,
    TaskList,
    TaskQuestion,
    describe_problem,
    describe_task,
    list_problems,
    list_tasks,
)
from quasar.schema.verify import (
    Part,
    Question,
    VerifyAnswer,
    VerifyRequest,
    explain,
    to_answer,
    to_check,
)
from quasar.verification.execution.process import GuardedVerifier

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Write OpenQASM 3 circuits whose measured bitstrings solve a graph problem, or that do another "
    "task (a ground state, a named state, a stabiliser circuit), and verify them here. "
    "list_problems names the problems with an example each; describe_problem gives qubit order and "
    "Hamiltonian; "
    "list_tasks names the other tasks; describe_task takes a row or words and gives the row to "
    "verify; verify_circuit simulates a circuit exactly and answers with energy, probability of an "
    "optimum, most probable answers or the task's figures, a reward, and what to fix."
)


@dataclass(frozen=True, slots=True)
class ServedTool:
    """One tool: its schemas and the function behind it, which may block."""

    description: str
    request: type[BaseModel]
    answer: type[BaseModel]
    run: Callable[[Any], BaseModel]


class NoQuestion(Part):
    """A request without fields."""


def create_server(verifier: GuardedVerifier, config: QuasarConfig) -> Server[Any]:
    """The server; circuits go to the verifier, which the caller closes."""
    max_qubits = config.verification.max_qubits
    # The published formula needs a reference circuit, which a caller does not have.
    reward = config.reward.model_copy(update={"formula": "hierarchical"})

    def verify_circuit(request: VerifyRequest) -> VerifyAnswer:
        (result,) = verifier.verify([to_check(request, max_qubits=max_qubits)])
        return to_answer(result, request, reward)

    tools = {
        "verify_circuit": ServedTool(
            "Verify one OpenQASM 3 circuit for one graph problem, or for an instance of another "
            "task given as row: report, reward, what to fix.",
            VerifyRequest,
            VerifyAnswer,
            verify_circuit,
        ),
        "list_problems": ServedTool(
            "The graph problems that can be asked about, each with its question and an example.",
            NoQuestion,
            ProblemList,
            lambda _: list_problems(),
        ),
        "describe_problem": ServedTool(
            "Encoding, qubit order and cost Hamiltonian of one graph problem.",
            Question,
            DescribedProblem,
            lambda question: describe_problem(question, max_qubits=max_qubits),
        ),
        "list_tasks": ServedTool(
            "The other tasks that a circuit can be asked for: families, and parts of the reward.",
            NoQuestion,
            TaskList,
            lambda _: list_tasks(),
        ),
        "describe_task": ServedTool(
            "An instance of another task, from words or a row: the row to verify, what is asked.",
            TaskQuestion,
            DescribedTask,
            describe_task,
        ),
    }

    async def on_list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[_listed(name, tool) for name, tool in tools.items()])

    async def on_call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        if params.name not in tools:
            valid = ", ".join(tools)
            raise MCPError(INVALID_PARAMS, f"unknown tool {params.name!r}; valid: {valid}")
        # in a thread, so that the server goes on answering while a circuit is verified
        return await anyio.to_thread.run_sync(_call, tools[params.name], params.arguments or {})

    return Server(
        "quasar",
        version=quasar.__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
    )


def serve_stdio(config: QuasarConfig) -> None:
    """Serve one client over standard input and output, until it closes them."""

    async def run() -> None:
        with GuardedVerifier(config.verification) as verifier:
            server = create_server(verifier, config)
            async with stdio_server() as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())

    anyio.run(run)


def serve_http(config: QuasarConfig, guard: Callable[[Any], Any]) -> None:
    """Serve any number of clients over streamable HTTP at serving.host:serving.port, path /mcp.

    guard: gives the ASGI application behind keys and limits. Circuits are verified one at a time.
    Raises InputError where the port is taken.
    """
    import uvicorn

    host, port = config.serving.host, config.serving.port
    require_free_port(host, port)
    with GuardedVerifier(config.verification) as verifier:
        app = create_server(verifier, config).streamable_http_app(
            host=host, max_request_body_size=config.serving.max_body_bytes
        )
        logger.info("serving MCP at http://%s:%d/mcp", host, port)
        uvicorn.run(guard(app), host=host, port=port, log_level="warning")


def _listed(name: str, tool: ServedTool) -> Tool:
    return Tool(
        name=name,
        description=tool.description,
        input_schema=tool.request.model_json_schema(),
        output_schema=tool.answer.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )


def _call(tool: ServedTool, arguments: dict[str, Any]) -> CallToolResult:
    """The tool's answer as structured content and as the same JSON text, or what is wrong."""
    try:
        answer = tool.run(tool.request.model_validate(arguments))
    except ValidationError as error:
        return _refused(explain(error))
    except QuasarError as error:
        return _refused(" ".join(str(error).split()))
    return CallToolResult(
        content=[TextContent(text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
    )


def _refused(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=message)], is_error=True)
