"""Which metrics there are, and the `Summary` that holds their estimates.

Every number has a 95 % bootstrap interval over problems. `Summary.to_dict` is `summary.json`.
Groups: `published` has the authors' definitions, `corrected` the right ones; `context` is what they
are read beside, for one sample a problem.

Two tracks: the open one takes any circuit; in the structured one a circuit outside the ansatz
family that the prompt names counts as not valid.

The rule for samples that are not valid: they take the worst value of each corrected metric
(approximation ratio 0, optimum probability 0, distance and gap 1, enrichment −log2(1/P_uniform),
warm-start gain 0, reward −w_syntax), so that no model gains by answering only what it is sure of.
The one exception are verifications that failed themselves (time limit, lost worker): they grade
nobody, are left out and counted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from quasar.errors import InputError
from quasar.evaluation.published_rows import PUBLISHED_ROWS

MetricGroup = Literal["published", "corrected", "context"]
GROUPS: tuple[MetricGroup, ...] = ("published", "corrected", "context")
BREAKDOWNS = ("by_primitive", "by_qubits", "by_gates", "by_depth")
# Rows of answers that take no learning, and that a model must beat: guessing, and one formula.
GUESSING = "H on every qubit"
FORMULA = "fixed-angle QAOA"
YARDSTICKS = (GUESSING, FORMULA)
BEST_OF = "best-of-"  # the table of the one answer with the highest reward among so many
FAILED = "verification failed"  # the failure kind of samples that were not graded


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of the evaluation. `worst` is what an invalid sample gets; None: not defined."""

    name: str
    group: MetricGroup
    label: str
    meaning: str
    unit: str = ""  # "%" marks a rate: stored as 0/1 per sample, reported in percent
    larger_is_better: bool = True
    worst: float | None = 0.0

    @property
    def column(self) -> str:
        """Column in `per_sample.parquet`."""
        return f"published_{self.name}" if self.group == "published" else self.name


METRICS: tuple[Metric, ...] = (
    Metric("scr", "published", "SCR", "contains OPENQASM 3.0 and Qiskit's reader accepts it", "%"),
    Metric("re", "published", "RE", "KL(generated‖reference), equal qubit numbers only", "bits",
           larger_is_better=False, worst=None),
    Metric("srev", "published", "SREV", "|E − E_reference| ≤ 0.2 in the reversed bit order", "%"),
    Metric("hqcr", "published", "HQCR", "RE below 0.1 bit", "%"),
    Metric("valid", "corrected", "valid", "accepted by the verifier with the right qubits", "%"),
    Metric("srev", "corrected", "SREV, right order", "|E − E_reference| ≤ 0.2", "%"),
    Metric("at_least_reference", "corrected", "at least reference", "E ≤ E_reference + 0.2", "%"),
    Metric("decoded_correct", "corrected", "decoded correct",
           "the most probable bitstring decodes to an optimal answer", "%"),
    Metric("approximation_ratio", "corrected", "approximation ratio",
           "(E_max − E)/(E_max − E_min)"),
    Metric("feasible_approximation_ratio", "corrected", "feasible ratio",
           "Σ p(z)·(F_max − E(z))/(F_max − F_min) over feasible z, F their energies"),
    Metric("optimum_probability", "corrected", "P(optimum)", "probability of any ground state"),
    Metric("optimum_most_probable", "corrected", "optimum most probable",
           "the most probable bitstring is a ground state", "%"),
    Metric("optimum_enrichment_bits", "corrected", "enrichment",
           "log2 of P(optimum) over uniform sampling", "bits", worst=None),
    Metric("js_distance", "corrected", "JS distance", "Jensen–Shannon distance to the reference",
           larger_is_better=False, worst=1.0),
    Metric("relative_energy_gap", "corrected", "energy gap", "(E − E_min)/(E_max − E_min)",
           larger_is_better=False, worst=1.0),
    Metric("warm_start_gain", "corrected", "warm-start gain",
           "gain over random starts after the same gradient evaluations"),
    Metric("reward", "corrected", "reward", "hierarchical reward", worst=None),
    Metric("device_two_qubit_gates", "corrected", "two-qubit gates",
           "after compiling for the device, valid samples", "gates",
           larger_is_better=False, worst=None),
    Metric("device_depth", "corrected", "compiled depth",
           "longest chain of gates after compiling, valid samples", "gates",
           larger_is_better=False, worst=None),
    Metric("in_family", "context", "in family", "of the ansatz family that the prompt names", "%"),
    Metric("random_js_distance", "context", "JS distance, random angles",
           "the same gates with angles uniform on [0, 2π)", larger_is_better=False, worst=1.0),
    Metric("random_energy_gap", "context", "energy gap, random angles",
           "the same gates with angles uniform on [0, 2π)", larger_is_better=False, worst=1.0),
)  # fmt: skip


def metric(name: str, group: MetricGroup = "corrected") -> Metric:
    """The metric of that name; KeyError where there is none."""
    return next(m for m in METRICS if (m.name, m.group) == (name, group))


def format_value(value: float | None, name: str, *, group: MetricGroup = "corrected") -> str:
    """A metric's value as text: percent with one decimal, bits with two, else three decimals."""
    if value is None:
        return "–"
    unit = metric(name, group).unit
    decimals = {"%": 1, "gates": 1, "bits": 2}.get(unit, 3)
    value = round(value, decimals) + 0.0  # no negative zero
    return f"{value:.{decimals}f} %" if unit == "%" else f"{value:.{decimals}f}"


def axis_label(name: str, group: MetricGroup = "corrected") -> str:
    """Label with unit."""
    m = metric(name, group)
    return f"{m.label}, {m.unit}" if m.unit else m.label


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """A mean over problems with its 95 % bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    num_problems: int  # problems on which it is defined

    @property
    def defined(self) -> tuple[float, float, float]:
        """Value, low and high, where they are known to be defined."""
        assert self.value is not None
        assert self.low is not None
        assert self.high is not None
        return self.value, self.low, self.high

    @property
    def standard_error(self) -> float | None:
        """A quarter of the interval, nearly; None where it is not defined."""
        return None if self.value is None else (self.defined[2] - self.defined[1]) / (2 * 1.96)


Estimates = Mapping[str, MetricEstimate]
Table = Mapping[str, Estimates | None]  # group -> name -> estimate


@dataclass(frozen=True, slots=True)
class SampleCircuit:
    """One sample kept for the report: why it was kept, its text, what it measures."""

    title: str
    sample_index: int
    primitive: str
    num_qubits: int
    text: str
    error: str | None = None
    approximation_ratio: float | None = None
    reward: float | None = None
    most_probable: tuple[Mapping[str, Any], ...] = ()  # bitstring, probability, feasible, optimal
    drawing: str | None = None  # as text; of a program with a fault, up to the fault


@dataclass(frozen=True)
class TaskTable:
    """The figures of one task: success and validity in percent, mean of the parts, reward, parts.

    tables: "pass@1", "pass@10", "best-of-4" -> name -> estimate. by_family, by_qubits: one sample a
    problem.
    """

    num_problems: int
    num_samples: int
    tables: Mapping[str, Estimates]
    by_family: Mapping[str, Estimates]
    by_qubits: Mapping[str, Estimates]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "num_problems": self.num_problems,
            "num_samples": self.num_samples,
            **{name: _groups_to_dict(getattr(self, name)) for name in _TASK_GROUPS},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TaskTable":
        """The inverse of `to_dict`."""
        groups: dict[str, Any] = {name: _groups_from_dict(content[name]) for name in _TASK_GROUPS}
        return cls(content["num_problems"], content["num_samples"], **groups)


_TASK_GROUPS = ("tables", "by_family", "by_qubits")


@dataclass(frozen=True)
class Summary:
    """All numbers of one evaluation. `to_dict` is the layout of `summary.json`."""

    num_problems: int
    num_samples: int
    tables: Mapping[str, Table]  # "pass@1", "pass@10", "best-of-4" (corrected group alone)
    structured: Mapping[str, Estimates] = field(default_factory=dict)  # the same, corrected group
    # structured track, by the group of the ansatz family that is asked for
    by_family: Mapping[str, Estimates] = field(default_factory=dict)
    # task -> its figures; empty where there are graph problems alone, whose figures are the tables
    tasks: Mapping[str, TaskTable] = field(default_factory=dict)
    by_primitive: Mapping[str, Estimates] = field(default_factory=dict)
    by_qubits: Mapping[str, Estimates] = field(default_factory=dict)
    by_gates: Mapping[str, Estimates] = field(default_factory=dict)  # of the reference
    by_depth: Mapping[str, Estimates] = field(default_factory=dict)  # likewise
    # "pass@1" -> cut in bits -> % of problems with RE below it
    re_sweep: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # 5, 25, 50, 75 and 95 % quantile over problems, one sample each
    energy_gap_quantiles: Sequence[float] = ()
    failures: Mapping[str, int] = field(default_factory=dict)  # kind -> samples, most first
    pass_curves: Mapping[str, Sequence[float]] = field(default_factory=dict)  # name -> k = 1, 2, …
    num_failed: int = 0  # verifications that failed themselves
    num_infinite_re: int = 0
    samples_per_problem: tuple[int, int] = (1, 1)  # fewest, most
    uniform_approximation_ratio: float | None = None
    circuits: tuple[SampleCircuit, ...] = ()
    baselines: Mapping[str, "Summary"] = field(default_factory=dict)
    # baseline -> ansatz asked for -> problems without an answer of it
    unanswered: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    device: str | None = None  # that circuits were compiled for
    hardware: Mapping[str, Any] | None = None  # see `quasar.evaluation.hardware.summarise`
    details: Mapping[str, Any] = field(default_factory=dict)  # files, seed, seconds

    def get(
        self, name: str, *, group: MetricGroup = "corrected", k: int = 1, at: str | None = None
    ) -> MetricEstimate:
        """One estimate; undefined (value None) where the group or the k is absent.

        at: another table than that of pass@k, by its name.
        """
        table = self.tables.get(at or f"pass@{k}", {}).get(group)
        nothing = MetricEstimate(None, None, None, 0)
        return table.get(name, nothing) if table else nothing  # a file may be older than a metric

    def values(self) -> Iterator[tuple[str, float]]:
        """(name, value) of each defined estimate, e.g. `pass_1/corrected/valid`."""
        for at, table in self.tables.items():
            for group, estimates in table.items():
                for name, estimate in (estimates or {}).items():
                    if estimate.value is not None:
                        yield f"{at.replace('@', '_')}/{group}/{name}", estimate.value
        for task, found in self.tasks.items():
            for at, estimates in found.tables.items():
                for name, estimate in estimates.items():
                    if estimate.value is not None:
                        yield f"{at.replace('@', '_')}/{task}/{name}", estimate.value

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: per pass@k and group the values and, beside them, `interval_95`."""
        return {
            "num_problems": self.num_problems,
            "num_samples": self.num_samples,
            "samples_per_problem": list(self.samples_per_problem),
            "num_failed_verifications": self.num_failed,
            "num_infinite_re": self.num_infinite_re,
            "uniform_approximation_ratio": self.uniform_approximation_ratio,
            "units": {g: {m.name: m.unit for m in METRICS if m.group == g and m.unit}
                      for g in GROUPS},
            "device": self.device,
            **self._tables_to_dict(),
            "pass_curves": {name: list(curve) for name, curve in self.pass_curves.items()},
            "failures": dict(self.failures),
            **{name: _groups_to_dict(getattr(self, name)) for name in BREAKDOWNS},
            "hardware": self.hardware,
            "baselines": {
                name: {
                    "num_problems": row.num_problems,
                    "num_samples": row.num_samples,
                    **row._tables_to_dict(),
                }
                for name, row in self.baselines.items()
            },
            "unanswered": {name: dict(found) for name, found in self.unanswered.items()},
            "as_published": PUBLISHED_ROWS,
            "circuits": [asdict(circuit) for circuit in self.circuits],
            "details": dict(self.details),
        }  # fmt: skip

    def _tables_to_dict(self) -> dict[str, Any]:
        return {
            **{name: _groups_to_dict(table) for name, table in self.tables.items()},
            "structured": _groups_to_dict(self.structured),
            "by_family": _groups_to_dict(self.by_family),
            **(
                {"tasks": {name: found.to_dict() for name, found in self.tasks.items()}}
                if self.tasks
                else {}
            ),
            "re_sweep": {name: dict(sweep) for name, sweep in self.re_sweep.items()},
            "energy_gap_quantiles": list(self.energy_gap_quantiles),
        }


def read_summary(path: Path | str) -> Summary:
    """The summary in a `summary.json`; InputError where it is missing or not one."""
    try:
        content = json.loads(Path(path).read_text("utf-8-sig"))
        return summary_from_dict(content)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run an evaluation first") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path} line {error.lineno}: not JSON ({error.msg})") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a summary.json of an evaluation ({error!r})") from None


def summary_from_dict(content: Mapping[str, Any]) -> Summary:
    """The inverse of `Summary.to_dict`; KeyError where a field is missing."""
    breakdowns: dict[str, Any] = {n: _groups_from_dict(content[n]) for n in BREAKDOWNS}
    return Summary(
        num_problems=content["num_problems"],
        num_samples=content["num_samples"],
        **_tables_from_dict(content),
        **breakdowns,
        failures=content["failures"],
        pass_curves=content["pass_curves"],
        num_failed=content["num_failed_verifications"],
        num_infinite_re=content["num_infinite_re"],
        samples_per_problem=tuple(content["samples_per_problem"]),
        uniform_approximation_ratio=content["uniform_approximation_ratio"],
        circuits=tuple(
            SampleCircuit(**{**c, "most_probable": tuple(c["most_probable"])})
            for c in content["circuits"]
        ),
        baselines={
            name: Summary(row["num_problems"], row["num_samples"], **_tables_from_dict(row))
            for name, row in content["baselines"].items()
        },
        unanswered=content.get("unanswered", {}),
        device=content["device"],
        hardware=content["hardware"],
        details=content["details"],
    )


def _groups_to_dict(groups: Mapping[str, Estimates | None]) -> dict[str, Any]:
    return {name: estimates and _estimates_to_dict(estimates) for name, estimates in groups.items()}


def _groups_from_dict(content: Mapping[str, Any]) -> dict[str, Estimates | None]:
    return {name: values and _estimates_from_dict(values) for name, values in content.items()}


def _estimates_to_dict(estimates: Estimates) -> dict[str, Any]:
    values: dict[str, Any] = {name: e.value for name, e in estimates.items()}
    values["interval_95"] = {name: [e.low, e.high] for name, e in estimates.items()}
    values["num_problems"] = {name: e.num_problems for name, e in estimates.items()}
    return values


def _tables_from_dict(content: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `Summary` that baselines have too."""
    return {
        "tables": {
            name: _groups_from_dict(table)
            for name, table in content.items()
            if name.startswith(("pass@", BEST_OF))
        },
        "structured": _groups_from_dict(content["structured"]),
        "by_family": _groups_from_dict(content.get("by_family", {})),
        "tasks": {n: TaskTable.from_dict(t) for n, t in content.get("tasks", {}).items()},
        "re_sweep": content["re_sweep"],
        "energy_gap_quantiles": tuple(content["energy_gap_quantiles"]),
    }


def _estimates_from_dict(values: Mapping[str, Any]) -> dict[str, MetricEstimate]:
    intervals, counts = values["interval_95"], values["num_problems"]
    return {
        n: MetricEstimate(values[n], low, high, counts[n]) for n, (low, high) in intervals.items()
    }
