"""Gate definitions of canonical programs: one for each order of a term.

Apart from `quasar.circuits.canonical`, which writes them, so that the reader that knows them needs
no problem to be loaded.
"""

_NAMES = "abcdefghijklmnopqrsuvwxyz"  # without t, the angle


def definition(order: int) -> str:
    """exp(−i·(t/2)·∏Z) on `order` qubits: a cx ladder onto the first, rz, and back."""
    wires = _NAMES[:order]
    ladder = [f"cx {wires[i]}, {wires[i - 1]};" for i in range(order - 1, 0, -1)]
    body = " ".join([*ladder, f"rz(t) {wires[0]};", *reversed(ladder)])
    return f"gate {'z' * order}(t) {', '.join(wires)} {{ {body} }}"
