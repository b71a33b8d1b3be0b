"""The taskset by which `vf-eval quasar-circuits` finds circuits: its name is this module's."""

from quasar.integrations.verifiers import CircuitTaskset, CircuitTasksetConfig

__all__ = ["CircuitTaskset", "CircuitTasksetConfig"]
