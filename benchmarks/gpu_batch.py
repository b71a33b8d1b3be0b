"""⟨H⟩ of many QAOA circuits at once, on torch, beside the compiled kernels: what a verifier that
simulates its batches together would gain on a GPU (`benchmarks/gpu.py`).
"""

import time
from typing import Any

import networkx as nx
import numpy as np
import torch
from gpu_work import CPU, Found, Row

from quasar.circuits.ansatz import get_ansatz
from quasar.problems import build_instance
from quasar.simulation.statevector.exact import ExactSimulator

_MOST_AMPLITUDES = 1 << 24  # of a batch: 256 MiB, and a few times that while a gate is applied


def qaoa_problem(num_qubits: int, count: int) -> tuple[Any, Any]:
    """An independent set of a 3-regular graph, and angles of QAOA circuits of two layers: random,
    (count, 2, 2).
    """
    graph = nx.random_regular_graph(3, num_qubits, seed=1)
    problem = build_instance("maximum_independent_set", nx.node_link_data(graph, edges="edges"))
    return problem, np.random.default_rng(num_qubits).uniform(-1.0, 1.0, (count, 2, 2))


def energies_alone(num_qubits: int, count: int, device: str, *, rehearse: bool) -> Found:
    """⟨H⟩ of the same circuits without reading and grading: by the kernels one after the other on
    the CPU, all in one batch on the GPU, in a rehearsal on the CPU too.
    """
    problem, angles = qaoa_problem(num_qubits, count)
    energies, simulator = problem.spectrum.energies, ExactSimulator()
    form = get_ansatz("qaoa").circuit(problem.hamiltonian, layers=angles.shape[2])

    def by_kernels(some: Any) -> list[float]:
        circuits = [form.bind(one.reshape(-1)) for one in some]
        return [float(simulator.probabilities(circuit) @ energies) for circuit in circuits]

    name = f"{num_qubits} qubits, ⟨H⟩ alone"
    if device == CPU:
        by_kernels(angles[:1])
        started = time.perf_counter()
        by_kernels(angles)
        yield Row(name, "circuits/s", CPU, count / (time.perf_counter() - started))
        if not rehearse:
            return
        name += ", in one batch"
    in_one_batch(energies, angles[:2], device)
    started = time.perf_counter()
    found = in_one_batch(energies, angles, device)
    yield Row(name, "circuits/s", device, count / (time.perf_counter() - started))
    worst = float(np.abs(found[:4] - by_kernels(angles[:4])).max())
    yield Row(f"{num_qubits} qubits: largest difference of the batch's ⟨H⟩", "", device, worst)


def in_one_batch(energies: Any, angles: Any, device: str) -> Any:
    """⟨H⟩, float64 (B,), of QAOA circuits that differ in their angles alone.

    energies: float64 (2**n,); angles: (B, 2, layers), γ and β in radians. The state vectors of a
    batch are one tensor, of at most 2**24 amplitudes.
    """
    num_qubits = energies.size.bit_length() - 1
    values = torch.tensor(energies, device=device)
    found = []
    size = max(1, _MOST_AMPLITUDES >> num_qubits)
    for start in range(0, len(angles), size):
        gammas, betas = torch.tensor(angles[start : start + size], device=device).unbind(1)
        shape = len(gammas), energies.size
        states = torch.full(shape, energies.size**-0.5, dtype=torch.complex128, device=device)
        for gamma, beta in zip(gammas.T, betas.T, strict=True):
            states = states * torch.exp(-1j * gamma[:, None] * values)
            cos, sin = (part[:, None, None, None] for part in (beta.cos(), beta.sin()))
            for qubit in range(num_qubits):
                pairs = states.reshape(len(gammas), -1, 2, 1 << qubit)
                states = (cos * pairs - 1j * sin * pairs.flip(2)).reshape(shape)
        found.append(((states.real**2 + states.imag**2) @ values).cpu().numpy())
    return np.concatenate(found)
