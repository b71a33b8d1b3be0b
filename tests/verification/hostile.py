"""Programs that are written to break a reader or a simulator, and how each must be answered.

    python hostile.py [hierarchical|published]

verifies all of them in this one process and prints JSON: seconds, verdict and message of each, and
the process's peak memory.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator

from hostile_sizes import DEPTH, NAMES, SIZE
from hostile_words import CHAT, NAMED, STATEMENTS, UNICODE, VALID

CASES = NAMED | UNICODE | STATEMENTS | NAMES | DEPTH | SIZE | CHAT


def verdicts(formula: str) -> Iterator[dict[str, object]]:
    """Verify all cases against a problem of three qubits; seconds and verdict of each."""
    from quasar.circuits.circuit import Circuit
    from quasar.config import VerificationConfig
    from quasar.problems import build_instance
    from quasar.verification.verifier import Verifier

    edges = [{"source": 0, "target": 1}, {"source": 1, "target": 2}]
    graph = {"nodes": [{"id": i} for i in range(3)], "edges": edges}
    problem = build_instance("vertex_cover", graph, reference_circuit=Circuit(3, ()).to_qasm())
    verifier = Verifier(VerificationConfig(), formula)
    verifier.warm_up()
    for name, (text, _) in CASES.items():
        started = time.perf_counter()
        try:
            report = verifier.verify(problem, text, diagnose=True)
            error = report.error
            verdict = (error.kind, error.message) if error else (VALID, "")
        except Exception as error:  # the test says which case it was
            verdict = (type(error).__name__, str(error))
        seconds = time.perf_counter() - started
        yield {"name": name, "seconds": seconds, "peak_mb": peak_mb(), "verdict": verdict}


def peak_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    print(json.dumps(list(verdicts(*sys.argv[1:] or ["hierarchical"]))))
