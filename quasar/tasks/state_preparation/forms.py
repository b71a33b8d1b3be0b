"""How a person states each family of target states."""

from collections.abc import Mapping

from quasar.tasks.base import ContentField, ContentForm
from quasar.tasks.state_preparation.named_states import BELL, KNOWN

FORMS: Mapping[str, ContentForm] = {
    "known": ContentForm(
        {"states": ContentField("kets", tuple(KNOWN))}, {"states": ["0", "+", "-i"]}
    ),
    "product": ContentForm(
        {"angles": ContentField("angles")}, {"angles": [[1.2, 0.5], [0.7, -1.0]]}
    ),
    "bell": ContentForm({"which": ContentField("choice", tuple(BELL))}, {"which": "phi+"}),
    "ghz": ContentForm({"sign": ContentField("choice", (1, -1))}, {"sign": 1}, 3),
    "w": ContentForm({}, {}, 3),
    "dicke": ContentForm({"ones": ContentField("integer")}, {"ones": 2}, 4),
    "graph": ContentForm(
        {"edges": ContentField("edges")}, {"edges": [[0, 1], [1, 2], [2, 3], [0, 3]]}, 4
    ),
    "cluster": ContentForm(
        {"shape": ContentField("choice", ("chain", "ring", "rows"))}, {"shape": "chain"}, 4
    ),
    "sparse": ContentForm(
        {"amplitudes": ContentField("amplitudes")},
        {"amplitudes": {"000": [0.6, 0.0], "011": [0.0, 0.48], "110": [-0.64, 0.0]}},
    ),
    "real": ContentForm(
        {"amplitudes": ContentField("real_vector")}, {"amplitudes": [0.5, -0.5, 0.5, 0.5]}
    ),
    "complex": ContentForm(
        {"amplitudes": ContentField("vector")},
        {"amplitudes": [[0.5, 0.0], [0.0, 0.5], [-0.5, 0.0], [0.0, -0.5]]},
    ),
    "gaussian": ContentForm(
        {"mean": ContentField("number"), "width": ContentField("number")},
        {"mean": 3.5, "width": 1.5},
        3,
    ),
}
