"""Drafts of several requests are decoded together and do not depend on their company."""

from quasar.circuits.qasm import read_qasm
from quasar.config import GenerationConfig
from quasar.datasets.prompts import build_messages
from quasar.policy.generation import CircuitGenerator
from quasar.problems import build_instance
from quasar.serving.writer import Order, TooLong, write_drafts
from quasar.tool.schema import expand_graph


def test_a_draft_does_not_depend_on_its_company(checkpoint, known_graph):
    generator = CircuitGenerator.load(checkpoint)
    problem = build_instance("vertex_cover", expand_graph(known_graph, is_network=False))
    messages = tuple(build_messages(problem))
    size = problem.num_qubits
    orders = [
        Order(messages, 2, 1.0, 7),
        Order(messages, 3, 0.5, 8),
        Order(messages, 1, 1.0, 9, size),
        Order(messages, 2, 5.0, 10, size),
    ]
    limits = dict(top_p=1.0, generation=GenerationConfig(max_response_tokens=64))
    together = write_drafts(generator, orders, **limits)
    alone = [write_drafts(generator, [order], **limits)[0] for order in orders]
    assert together == alone
    assert [len(drafts) for drafts in together] == [2, 3, 1, 2]
    # at temperature 5 the model writes noise, and the grammar still makes programs of it
    assert all(read_qasm(d.text).num_qubits == size for d in together[2] + together[3])
    # the next turn goes on from the ids of the first, each draft with its own observation
    first = together[0]
    again = Order(
        messages, 2, 1.0, 7, turn=1, again=((first[1], "invalid"), (first[0], "valid: 3 qubits"))
    )
    second = write_drafts(generator, [again, orders[1]], **limits)[0]
    assert [draft.sample for draft in second] == [1, 0]
    for draft, before in zip(second, (first[1], first[0]), strict=True):
        assert draft.ids[: len(before.ids)] == before.ids
        assert "valid" in generator.tokenizer.decode(draft.ids[len(before.ids) :])
        assert len(draft.ids) > len(before.ids) + draft.new_tokens
    assert write_drafts(generator, [again], **limits)[0] == second
    narrow = GenerationConfig(max_prompt_tokens=16)
    short = write_drafts(generator, orders[:1], top_p=1.0, generation=narrow)[0]
    assert isinstance(short, TooLong)
    assert short.num_tokens > 16
