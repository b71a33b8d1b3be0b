"""Programs that are written to break a reader or a simulator, and how each must be answered.

    python hostile.py [hierarchical|published]

verifies all of them in this one process and prints JSON: verdict and message of each, the processor
time in units of `machine.unit`, and the process's peak memory until then.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hostile_sizes import DEPTH, NAMES, SIZE
from hostile_words import CHAT, NAMED, STATEMENTS, UNICODE, VALID

from tests.support.machine import unit

CASES = NAMED | UNICODE | STATEMENTS | NAMES | DEPTH | SIZE | CHAT


def verdicts(formula: str) -> Iterator[dict[str, object]]:
    """Verify all cases against a problem of three qubits; time and verdict of each."""
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
        started = time.process_time()  # others may load the machine
        try:
            report = verifier.verify(problem, text, diagnose=True)
            error = report.error
            verdict = (error.kind, error.message) if error else (VALID, "")
        except Exception as error:  # the test says which case it was
            verdict = (type(error).__name__, str(error))
        units = (time.process_time() - started) / unit()
        yield {"name": name, "units": units, "peak_mb": peak_mb(), "verdict": verdict}


def peak_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    # Not ru_maxrss, which begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+([0-9]+) kB", status)[1]) * 1024 / 1e6


if __name__ == "__main__":
    print(json.dumps(list(verdicts(*sys.argv[1:] or ["hierarchical"]))))
