"""What tests of commands share: the program, a row of a problem file, and the line of a refusal."""

import sys

from quasar.cli.main import main

QUASAR = [sys.executable, "-m", "quasar"]
ROW = {
    "sample_index": 0,
    "problem_type": "vertex_cover",
    "optimization_type": "qaoa",
    "n_qubits": 2,
    "n_layers": 1,
    "graph": {
        "directed": False,
        "multigraph": False,
        "graph": {},
        "nodes": [{"id": 0}, {"id": 1}],
        "edges": [{"source": 0, "target": 1}],
    },
    "problem_specific_attributes": None,
    "cost_hamiltonian": "0.5 * (Z(0) @ Z(1))",
    "reference_circuit": "",
}


def refused(capsys, *arguments: str) -> str:
    """The one line that a command with bad input answers; checks exit code 2 and nothing else."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert captured.out == ""
    assert len(lines) == 1
    assert lines[0].startswith("quasar: ")
    return lines[0]
