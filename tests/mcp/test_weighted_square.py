"""One weighted graph through every door: its largest cut is 31, whichever way it comes in."""

import asyncio
import json

import networkx as nx
import numpy as np
import pytest
from mcp import Client
from qiskit.quantum_info import SparsePauliOp
from scipy.io import mmwrite
from scipy.sparse import coo_array

import quasar
from quasar.cli.main import main
from quasar.config import load_config
from quasar.mcp.server import create_server
from quasar.problems import decoder_for
from quasar.schema.verify import to_instance
from quasar.serving.api import create_api
from quasar.serving.models import ServedModels
from quasar.serving.service import CircuitService
from quasar.verification.execution.process import GuardedVerifier
from tests.serving.endpoint import running

WEIGHTS = {(0, 1): 10, (1, 2): 1, (2, 3): 1, (3, 0): 1, (0, 2): 10, (1, 3): 10}
BEST = 31  # {0, 3} against {1, 2}; without the weights it would be 22
WORDS = "max cut of " + " ".join(f"{u}-{v}:{w}" for (u, v), w in WEIGHTS.items())
# Qubits of the nodes on one side are measured 1.
CIRCUIT = """OPENQASM 3.0;
include "stdgates.inc";
bit[4] c;
qubit[4] q;
x q[0];
x q[3];
c = measure q;
"""
WORSE = CIRCUIT.replace("x q[3];", "x q[1];")  # a cut of 22
LINEAR = {v: -sum(w for pair, w in WEIGHTS.items() if v in pair) for v in range(4)}


def network():
    graph = nx.Graph()
    graph.add_nodes_from(range(4))
    graph.add_weighted_edges_from((u, v, w) for (u, v), w in WEIGHTS.items())
    return graph


def gset():
    return "4 6\n" + "".join(f"{u + 1} {v + 1} {w}\n" for (u, v), w in WEIGHTS.items())


def qubo_text():
    lines = [f"{v} {v} {w}\n" for v, w in LINEAR.items()]
    lines += [f"{u} {v} {2 * w}\n" for (u, v), w in WEIGHTS.items()]
    return "c the cut, with the other sign\np qubo 0 4 4 6\n" + "".join(lines)


def lp_text():
    linear = " ".join(f"{-w:+d} x{v}" for v, w in LINEAR.items())
    pairs = " ".join(f"{-4 * w:+d} x{u} * x{v}" for (u, v), w in WEIGHTS.items())
    return f"Maximize\n cut: {linear} + [ {pairs} ] / 2\nSubject To\nBinary\n x0 x1 x2 x3\nEnd\n"


def dense():
    matrix = np.zeros((4, 4))
    for (u, v), w in WEIGHTS.items():
        matrix[u, v] = matrix[v, u] = w
    return matrix


def write_matrix(path):
    mmwrite(path, coo_array(np.tril(dense())), symmetry="symmetric")


FILES = {
    "problem.json": (lambda p: p.write_text(json.dumps(
        {"primitive": "max_cut", "graph": {"nodes": [0, 1, 2, 3],
         "edges": [[u, v, w] for (u, v), w in WEIGHTS.items()]}})), None),
    "edges.json": (lambda p: p.write_text(json.dumps(nx.node_link_data(network(), edges="edges"))),
                   "max_cut"),
    "links.json": (lambda p: p.write_text(json.dumps(nx.node_link_data(network(), edges="links"))),
                   "max_cut"),
    "graph.graphml": (lambda p: nx.write_graphml(network(), p), "max_cut"),
    "graph.edgelist": (lambda p: p.write_text(
        "# mine\n" + "".join(f"{u} {v} {w}\n" for (u, v), w in WEIGHTS.items())), "max_cut"),
    "graph.csv": (lambda p: p.write_text(
        "".join(f"{u},{v},{w}\n" for (u, v), w in WEIGHTS.items())), "max_cut"),
    "G.gset": (lambda p: p.write_text(gset()), None),
    "G.txt": (lambda p: p.write_text(gset()), None),
    "graph.col": (lambda p: p.write_text("p edge 4 6\n" + "".join(
        f"e {u + 1} {v + 1} {w}\n" for (u, v), w in WEIGHTS.items())), "max_cut"),
    "graph.mtx": (write_matrix, "max_cut"),
    "cut.qubo": (lambda p: p.write_text(qubo_text()), None),
    "cut.lp": (lambda p: p.write_text(lp_text()), None),
}  # fmt: skip


def largest_cut(problem):
    """By the best answers of the problem, whatever its form; all of them must be the cut."""
    instance = to_instance(problem, max_qubits=4)
    decoder = decoder_for(instance)
    best = []
    for state in map(int, instance.spectrum.optimal):
        answer = decoder.decode(instance.graph, instance.attributes, instance.assignment(state))
        names = [int(str(node).lstrip("x")) for node in answer]
        first = min(int(str(v).lstrip("x")) for v in instance.variables)
        side = {node - first for node in names}
        best.append(sum(w for (u, v), w in WEIGHTS.items() if (u in side) != (v in side)))
    assert len(set(best)) == 1
    assert len(best) == 2
    if instance.primitive in ("max_cut", "qubo"):
        assert -decoder.optimum(instance.graph, instance.attributes) == pytest.approx(best[0])
    return best[0]


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path, capsys, name):
    write, primitive = FILES[name]
    path = tmp_path / name
    write(path)
    assert largest_cut(quasar.read_problem(path, primitive)) == BEST
    asked = [] if primitive is None else ["--as", primitive]
    assert main(["problems", "read", str(path), *asked, "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert largest_cut(quasar.Problem(**read)) == BEST


def dimod_model(kind):
    dimod = pytest.importorskip("dimod")
    pairs = {pair: 2 * w for pair, w in WEIGHTS.items()}
    binary = dimod.BinaryQuadraticModel(LINEAR, pairs, 0, "BINARY")
    if kind == "CQM":
        model = dimod.ConstrainedQuadraticModel()
        model.set_objective(binary)
        return model
    return binary if kind == "BINARY" else binary.change_vartype("SPIN", inplace=False)


def quadratic_program():
    optimization = pytest.importorskip("qiskit_optimization")
    program = optimization.QuadraticProgram()
    for v in range(4):
        program.binary_var(f"x{v}")
    program.maximize(
        linear={f"x{v}": -w for v, w in LINEAR.items()},
        quadratic={(f"x{u}", f"x{v}"): -2 * w for (u, v), w in WEIGHTS.items()},
    )
    return program


OBJECTS = {
    "networkx": (network, "max_cut"),
    "QuadraticProgram": (quadratic_program, None),
    "BQM": (lambda: dimod_model("BINARY"), None),
    "BQM of spins": (lambda: dimod_model("SPIN"), None),
    "BQM as JSON": (lambda: dimod_model("BINARY").to_serializable(), None),
    "CQM": (lambda: dimod_model("CQM"), None),
    "SparsePauliOp": (
        lambda: SparsePauliOp.from_sparse_list(
            [("ZZ", list(pair), w / 2) for pair, w in WEIGHTS.items()], num_qubits=4
        ),
        None,
    ),
    "JSON": (lambda: nx.node_link_data(network(), edges="links"), "max_cut"),
    "words": (lambda: WORDS, None),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_and_words(name):
    make, primitive = OBJECTS[name]
    assert largest_cut(quasar.read_problem(make(), primitive)) == BEST
    right = quasar.verify(CIRCUIT, make(), primitive).report
    wrong = quasar.verify(WORSE, make(), primitive).report
    assert right.distribution.optimum_probability == pytest.approx(1)
    assert wrong.distribution.optimum_probability == pytest.approx(0)


@pytest.fixture(scope="module")
def service():
    """(client, MCP server) around one guarded verifier."""
    config = load_config("laptop")
    with GuardedVerifier(config.verification) as verifier:

        async def verify(checks):
            return await asyncio.to_thread(verifier.verify, checks)

        api = create_api(CircuitService(ServedModels(), verify, config))
        with running(api) as (host, port), quasar.Client(f"http://{host}:{port}") as client:
            yield client, create_server(verifier, config)


def optimum_probability(report):
    return report["distribution"]["optimum_probability"]


def test_the_client_takes_all_of_them(service, tmp_path):
    client, _ = service
    path = tmp_path / "G.gset"
    path.write_text(gset())
    for given in (WORDS, path, quadratic_program(), quasar.read_problem(network(), "max_cut")):
        for circuit, expected in ((CIRCUIT, 1), (WORSE, 0)):
            found = client.verify(circuit, given).report.distribution
            assert found.optimum_probability == pytest.approx(expected)
    with pytest.raises(quasar.EndpointError, match="which problem it is"):
        client.verify(CIRCUIT, network())


def test_the_tool_of_agents(service):
    _, server = service
    problem = quasar.read_problem(network(), "max_cut").model_dump()

    async def ask(circuit):
        async with Client(server) as client:
            request = {"problem": problem, "circuit": circuit}
            answered = await client.call_tool("verify_circuit", request)
            return answered.structured_content["report"]

    assert optimum_probability(asyncio.run(ask(CIRCUIT))) == pytest.approx(1)
    assert optimum_probability(asyncio.run(ask(WORSE))) == pytest.approx(0)


@pytest.mark.parametrize("given", ["words", "G.gset", "edges.json", "cut.qubo"])
def test_the_command_line(tmp_path, capsys, given):
    circuit = tmp_path / "c.qasm"
    asked = [WORDS]
    if given in FILES:
        write, primitive = FILES[given]
        write(tmp_path / given)
        asked = [str(tmp_path / given), *(["--as", primitive] if primitive else [])]
    for text, expected in ((CIRCUIT, 1), (WORSE, 0)):
        circuit.write_text(text)
        assert main(["verify", str(circuit), *asked, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)["report"]
        assert optimum_probability(report) == pytest.approx(expected)
