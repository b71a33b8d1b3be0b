"""Makes the table of molecular Hamiltonians that the package ships (extra `chemistry`).

    python benchmarks/molecule_table.py > quasar/tasks/ground_state/molecules.json

STO-3G, restricted Hartree–Fock orbitals, at each bond length (Å): H2 in two orbitals, by
Jordan–Wigner on four qubits and by the parity mapping on two; LiH with the 1s orbital of Li frozen
and the two empty π orbitals left out, two electrons in three orbitals, by the parity mapping on
four. Spin up first, then spin down. In the parity mapping the qubits that hold the parity of the up
electrons and of all electrons are taken out. Energies in hartree, coefficients to 1e-8. The sign of
an orbital is that of the one before along the bond, so that coefficients can be interpolated.

Checked here: the lowest level of each is the energy of full configuration interaction (PySCF) in
the same orbitals, to 1e-7. Needs numpy and pyscf alone.
"""

import json
from collections import defaultdict
from itertools import product
from typing import NamedTuple

import numpy as np
from pyscf import ao2mo, fci, gto, mcscf, scf

DECIMALS = 8
Operator = dict[tuple[int, int], complex]  # (flips, signs) -> coefficient, as in `PauliSum`
MOLECULES = {
    # name: (atoms at a bond length, active orbitals, mapping, bond lengths)
    "h2": ("H 0 0 0; H 0 0 {r}", (0, 1), "jordan_wigner", np.arange(0.3, 3.01, 0.05)),
    "h2_parity": ("H 0 0 0; H 0 0 {r}", (0, 1), "parity", np.arange(0.3, 3.01, 0.05)),
    "lih": ("Li 0 0 0; H 0 0 {r}", (1, 2, 5), "parity", np.arange(0.8, 4.01, 0.05)),
}


def times(a: Operator, b: Operator) -> Operator:
    """Product: i^|x∧z| X^x Z^z of each string; moving Z^z past X^x' gives (−1)^|z∧x'|."""
    found: Operator = defaultdict(complex)
    for ((xa, za), ca), ((xb, zb), cb) in product(a.items(), b.items()):
        x, z = xa ^ xb, za ^ zb
        power = (xa & za).bit_count() + (xb & zb).bit_count() - (x & z).bit_count()
        sign = -1 if (za & xb).bit_count() % 2 else 1
        found[x, z] += ca * cb * sign * 1j**power
    return found


def lowering(mode: int) -> Operator:
    """Jordan–Wigner: Z on all modes before, (X + iY)/2 on the mode."""
    before, own = (1 << mode) - 1, 1 << mode
    return {(own, before): 0.5, (own, before | own): 0.5j}


def dagger(a: Operator) -> Operator:
    return {word: c.conjugate() if isinstance(c, complex) else c for word, c in a.items()}


def hamiltonian(h1: np.ndarray, h2: np.ndarray, constant: float) -> Operator:
    """Spatial integrals (chemists' order) to Jordan–Wigner, spin up first."""
    m = len(h1)
    lower = [lowering(k) for k in range(2 * m)]
    total: Operator = defaultdict(complex)
    total[0, 0] += constant
    for p, q in product(range(m), repeat=2):
        for spin in (0, m):
            for word, c in times(dagger(lower[p + spin]), lower[q + spin]).items():
                total[word] += h1[p, q] * c
    for p, q, r, s in product(range(m), repeat=4):
        if abs(h2[p, q, r, s]) < 1e-12:
            continue
        for one, two in product((0, m), repeat=2):
            left = times(dagger(lower[p + one]), dagger(lower[r + two]))
            right = times(lower[s + two], lower[q + one])
            for word, c in times(left, right).items():
                total[word] += 0.5 * h2[p, q, r, s] * c
    return total


def in_parity(operator: Operator, modes: int, *, up: int, down: int) -> Operator:
    """Bit k holds the parity of modes 0…k; the bits that are known are taken out."""
    found: Operator = defaultdict(complex)
    known = {modes // 2 - 1: (-1) ** up, modes - 1: (-1) ** (up + down)}
    kept = [k for k in range(modes) if k not in known]
    for (x, z), c in operator.items():
        power = (x & z).bit_count()
        for k in range(modes - 1):  # cx from bit k to bit k + 1
            x ^= (x >> k & 1) << (k + 1)
            z ^= (z >> (k + 1) & 1) << k
        # X^x Z^z goes to X^x' Z^z' without a sign: each cx maps products of X and of Z apart.
        c = c * 1j ** (power - (x & z).bit_count())
        for k, sign in known.items():
            assert not x >> k & 1
            c *= sign if z >> k & 1 else 1
        word = tuple(sum((mask >> k & 1) << i for i, k in enumerate(kept)) for mask in (x, z))
        found[word] += c
    return found


def lowest(operator: Operator, n: int) -> float:
    size = 1 << n
    matrix, states = np.zeros((size, size), complex), np.arange(size)
    for (x, z), c in operator.items():
        odd = np.array([(int(i) & z).bit_count() & 1 for i in states])
        matrix[states ^ x, states] += c * 1j ** (x & z).bit_count() * (1 - 2 * odd)
    return float(np.linalg.eigvalsh(matrix)[0])


def word_of(flips: int, signs: int) -> str:
    letters = {(1, 0): "X", (1, 1): "Y", (0, 1): "Z"}
    both = flips | signs
    found = [
        f"{letters[flips >> q & 1, signs >> q & 1]}{q}" for q in range(both.bit_length())
        if both >> q & 1
    ]  # fmt: skip
    return "*".join(found) or "I"


class Row(NamedTuple):
    """Coefficients by word; energies of Hartree–Fock and of full configuration interaction; the
    orbitals.
    """

    terms: dict[str, float]
    hartree_fock: float
    full_ci: float
    orbitals: np.ndarray


def row(
    atoms: str, active: tuple[int, ...], mapping: str, r: float, before: Row | None = None
) -> Row:
    """Of a bond length; before: the row of one nearby, whose orbitals' signs are taken."""
    molecule = gto.M(atom=atoms.format(r=r), basis="sto-3g", verbose=0)
    found = scf.RHF(molecule).run(conv_tol=1e-12)
    orbitals = sorted(active)
    electrons = 2
    space = mcscf.CASCI(found, len(orbitals), electrons)
    mo = space.sort_mo(orbitals, base=0)
    if before is not None:
        mo = mo * np.where((before.orbitals * mo).sum(axis=0) < 0, -1.0, 1.0)
    h1, constant = space.get_h1eff(mo)
    h2 = ao2mo.restore(1, space.get_h2eff(mo), len(orbitals))
    exact = fci.direct_spin1.kernel(h1, h2, len(orbitals), (1, 1), ecore=constant)[0]
    operator, n = hamiltonian(h1, h2, constant), 2 * len(orbitals)
    if mapping == "parity":
        operator, n = in_parity(operator, n, up=1, down=1), n - 2
    tidy = {w: round(c.real, DECIMALS) for w, c in operator.items() if abs(c) > 10**-DECIMALS / 2}
    assert max(abs(c.imag) for c in operator.values()) < 1e-10
    assert abs(lowest(tidy, n) - exact) < 1e-7, (atoms, r, lowest(tidy, n), exact)
    terms = {word_of(*w): c for w, c in tidy.items()}
    return Row(terms, float(found.e_tot), float(exact), mo)


def main() -> None:
    table = {}
    for name, (atoms, active, mapping, lengths) in MOLECULES.items():
        lengths = [round(float(r), 2) for r in lengths]
        rows: list[Row] = []
        for r in lengths:
            rows.append(row(atoms, active, mapping, r, rows[-1] if rows else None))
        words = sorted({word for one in rows for word in one.terms}, key=lambda w: (len(w), w))
        table[name] = {
            "atoms": atoms,
            "basis": "sto-3g",
            "mapping": mapping,
            "bond_lengths": lengths,
            "words": words,
            "coefficients": [[one.terms.get(word, 0.0) for word in words] for one in rows],
            "hartree_fock": [round(one.hartree_fock, DECIMALS) for one in rows],
            "full_ci": [round(one.full_ci, DECIMALS) for one in rows],
        }
    lines = (f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in table.items())
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
