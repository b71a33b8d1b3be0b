"""The families of target states by name: what they are drawn from and read as."""

from collections.abc import Mapping

from quasar.tasks.state_preparation.amplitudes import Complex, Gaussian, Real, Sparse
from quasar.tasks.state_preparation.family import Family
from quasar.tasks.state_preparation.named_states import (
    Bell,
    Cluster,
    Dicke,
    Ghz,
    GraphState,
    Known,
    Product,
    W,
)

FAMILIES: Mapping[str, Family] = {
    "known": Known(),
    "product": Product(),
    "bell": Bell(),
    "ghz": Ghz(),
    "w": W(),
    "dicke": Dicke(),
    "graph": GraphState(),
    "cluster": Cluster(),
    "sparse": Sparse(),
    "real": Real(),
    "complex": Complex(),
    "gaussian": Gaussian(),
}
