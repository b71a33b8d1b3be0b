"""The worked plan: every line can be checked by hand."""

import re

from hypothesis import given
from hypothesis import strategies as st

from quasar.circuits.canonical import NormalisedTerm
from quasar.datasets.plan import PartialAssignment, worked_plan

_LINE = re.compile(r"// q(\d+):((?: q\d+(?:=[01])?| -?[\d.]+)*) = (-?[\d.]+) -> ([01])\n")


@st.composite
def problems(draw):
    n = draw(st.integers(2, 7))
    wires = st.lists(st.integers(0, n - 1), min_size=1, max_size=3, unique=True)
    found = draw(st.dictionaries(wires.map(lambda w: tuple(sorted(w))), st.integers(1, 99)))
    signs = draw(st.lists(st.sampled_from((1, -1)), min_size=len(found), max_size=len(found)))
    terms = [
        NormalisedTerm(f"{s * c / 100:g}", w)
        for (w, c), s in zip(found.items(), signs, strict=True)
    ]
    several = st.lists(st.integers(0, 1), min_size=n, max_size=n)
    return terms, draw(several), draw(several)


def energy(terms, bits):
    return sum(t.coefficient * (-1) ** sum(bits[q] for q in t.wires) for t in terms)


@given(problems())
def test_each_line_adds_up(problem):
    terms, bits, first = problem
    n, plan = len(bits), worked_plan(terms, bits, first)
    lines = _LINE.findall(plan)
    assert len(lines) == plan.count("\n") >= n
    decided, lengths = {}, []
    for qubit, words, field, bit in lines:
        qubit = int(qubit)
        total, listed = 0.0, 0
        for wires, text in re.findall(r"((?: q\d+(?:=[01])?)+) (-?[\d.]+)", words):
            coefficient, product = float(text), 1
            for q, value in re.findall(r"q(\d+)(?:=([01]))?", wires):
                if value:
                    assert decided[int(q)] == int(value)  # a neighbour that is decided already
                    product *= -1 if value == "1" else 1
                else:
                    assert int(q) == qubit
            total += coefficient * product
            listed += 1
        assert abs(total - float(field)) <= 0.05 + 1e-9
        if qubit in decided:
            assert (total > 0) == (decided[qubit] == 0)  # its field speaks against its bit
            assert listed == sum(qubit in term.wires for term in terms)  # all of its terms
        decided[qubit] = int(bit)
        lengths.append(words.count(" q"))
        if len(lengths) == n:
            assert [decided[q] for q in range(n)] == first
    assert sum(lengths[n:]) <= sum(lengths[:n])  # which has each term once


@given(problems())
def test_the_improving_pass_ends_where_no_single_flip_helps(problem):
    terms, _, first = problem
    plan = PartialAssignment(terms, len(first))
    lines = 0
    while (qubit := plan.next()) is not None:
        before = dict(plan.bits)
        improving = not plan.undecided
        plan.decide(qubit, 1 - plan.bits[qubit] if improving else first[qubit])
        lines += 1
        if improving:
            assert energy(terms, plan.bits) < energy(terms, before)
    flips = [{**plan.bits, q: 1 - bit} for q, bit in plan.bits.items()]
    helpful = any(energy(terms, flip) < energy(terms, plan.bits) - 1e-6 for flip in flips)
    assert not helpful or lines > len(first)  # or where it has restated what it may


def test_a_qubit_that_is_left_as_it_is_is_not_asked_again():
    terms = [NormalisedTerm("0.5", (0,)), NormalisedTerm("0.4", (1,))]
    plan = PartialAssignment(terms, 2)
    for expected, bit in ((0, 0), (1, 0), (0, 0), (1, 1)):
        assert plan.next() == expected
        plan.decide(expected, bit)
    assert plan.next() is None
    assert plan.bits == {0: 0, 1: 1}


def test_the_largest_field_comes_first():
    terms = [
        NormalisedTerm("0.1", (0,)),
        NormalisedTerm("-0.6", (1,)),
        NormalisedTerm("0.5", (0, 1)),
        NormalisedTerm("0.3", (0, 2)),
    ]
    clear = (
        "// q1: q1 -0.6 = -0.6 -> 0\n"
        "// q0: q0 0.1 q1=0 0.5 = 0.6 -> 1\n"
        "// q2: q0=1 0.3 = -0.3 -> 0\n"
    )
    assert worked_plan(terms, [1, 0, 0]) == clear
    assert worked_plan(terms, [1, 0, 0], first=[1, 0, 1]) == (
        clear.removesuffix("0\n") + "1\n" + "// q2: q0=1 0.3 = -0.3 -> 0\n"
    )
