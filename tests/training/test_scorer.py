"""Scores chunk by chunk are those of all logits at once, and so are their gradients."""

import numpy as np
import pytest
import torch

from quasar.policy.legal import LegalTokens
from quasar.policy.models import load_policy
from quasar.training.algorithm import scorer
from quasar.training.algorithm.scorer import ScoringHead, TokenScorer, chunk_tokens

TOKENS, WIDTH, VOCABULARY = 23, 16, 97


@pytest.fixture(params=[1, 5, 1000], ids=["a token a chunk", "five", "all"])
def tokens_a_chunk(request, monkeypatch):
    monkeypatch.setattr(scorer, "CHUNK_BYTES", 4 * VOCABULARY * request.param)
    assert chunk_tokens(VOCABULARY) == request.param


def at_once(hidden, head, targets, temperature, legal):
    """The definition, on all logits, differentiated by autograd."""
    logits = torch.nn.functional.linear(hidden, head.weight, head.bias).float() / temperature
    if legal is not None:
        table = torch.from_numpy(legal.table(VOCABULARY))
        logits = logits.masked_fill(~table[torch.from_numpy(legal.index).long()], -torch.inf)
    log_probs = torch.log_softmax(logits, dim=-1)
    finite = log_probs.masked_fill(log_probs == -torch.inf, 0.0)
    return log_probs.gather(-1, targets[:, None])[:, 0], -(log_probs.exp() * finite).sum(-1)


def inputs(*, constrained: bool, bias: bool, dtype=torch.float32, tokens=TOKENS):
    generator = torch.Generator().manual_seed(3)
    head = ScoringHead(WIDTH, VOCABULARY, bias=bias)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(0.0, 0.7, generator=generator)
    hidden = torch.randn(tokens, WIDTH, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(VOCABULARY, (tokens,), generator=generator)
    legal = None
    if constrained:  # forced tokens, small sets and the whole vocabulary
        sets = [np.array([int(t)]) if i % 4 == 0 else np.unique([*range(0, 90, 7), int(t)])
                for i, t in enumerate(targets)]  # fmt: skip
        index = np.arange(tokens)
        index[2::5] = -1
        legal = LegalTokens(index.astype(np.int32), tuple(s.astype(np.int32) for s in sets))
    return head.to(dtype), hidden, targets, legal


def gradients(outputs, head, hidden, *, entropy: bool):
    scores, entropies = outputs
    slopes = torch.linspace(-1.0, 2.0, len(scores))
    loss = (slopes * scores).sum()
    if entropy:
        loss = loss - 0.3 * (slopes.square() * entropies).sum()
    return torch.autograd.grad(loss, [hidden, *head.parameters()])


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.usefixtures("tokens_a_chunk")
def test_values_and_gradients_are_those_of_all_logits(constrained, entropy):
    head, hidden, targets, legal = inputs(constrained=constrained, bias=entropy)
    expected = at_once(hidden, head, targets, 0.7, legal)
    got = head(hidden, targets, 0.7, legal, entropy)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)
    assert got[1].requires_grad == entropy
    torch.testing.assert_close(
        gradients(got, head, hidden, entropy=entropy),
        gradients(expected, head, hidden, entropy=entropy),
        atol=1e-6,
        rtol=1e-5,
    )


@pytest.mark.usefixtures("tokens_a_chunk")
def test_the_backward_pass_is_the_derivative_of_the_forward_pass():
    head, hidden, targets, _ = inputs(constrained=False, bias=True, tokens=6)

    def of(hidden, weight, bias):
        scores = scorer._Scores.apply(hidden, weight, bias, targets, 0.9, None, None, True)
        return scores[0] + 0.5 * scores[1]

    # Scores are float32 whatever the model's type, hence the coarse step.
    assert torch.autograd.gradcheck(
        of,
        [hidden.detach().double().requires_grad_(), *(p.detach().double().requires_grad_()
                                                      for p in head.parameters())],
        eps=1e-3, atol=5e-3, rtol=1e-2, fast_mode=True,
    )  # fmt: skip


def test_bfloat16_rounds_as_before(monkeypatch):
    monkeypatch.setattr(scorer, "CHUNK_BYTES", 4 * VOCABULARY * 5)
    head, hidden, targets, _ = inputs(constrained=False, bias=False, dtype=torch.bfloat16)
    expected = at_once(hidden, head, targets, 0.7, None)
    got = head(hidden, targets, 0.7)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)
    for a, b in zip(
        gradients(got, head, hidden, entropy=False),
        gradients(expected, head, hidden, entropy=False),
        strict=True,
    ):
        assert a.dtype == torch.bfloat16
        torch.testing.assert_close(a, b, atol=0.02, rtol=0.02)


def test_no_tokens_leave_a_graph_with_zero_gradients():
    head, hidden, targets, _ = inputs(constrained=False, bias=False, tokens=0)
    scores, _ = head(hidden, targets)
    (scores.sum() * 0.0).backward()
    assert (head.weight.grad == 0).all()


def test_only_one_chunk_is_kept_for_the_backward_pass(monkeypatch):
    head, hidden, targets, _ = inputs(constrained=False, bias=False)

    def kept(tokens: int) -> int:
        monkeypatch.setattr(scorer, "CHUNK_BYTES", 4 * VOCABULARY * tokens)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: (sizes.append(t.numel()), t)[1], lambda t: t
        ):
            head(hidden, targets)
        return sum(size for size in sizes if size >= TOKENS * VOCABULARY)

    assert kept(TOKENS) == TOKENS * VOCABULARY
    assert kept(TOKENS - 1) == 0


def test_the_head_takes_the_place_of_the_models_own(tiny_policy):
    plain, _ = load_policy(tiny_policy)
    policy, _ = load_policy(tiny_policy)
    names = list(policy.state_dict())
    TokenScorer(policy)
    assert isinstance(policy.get_output_embeddings(), ScoringHead)
    assert list(policy.state_dict()) == names
    assert policy.get_output_embeddings().weight is policy.get_input_embeddings().weight
    ids = torch.arange(5, 25)[None]
    torch.testing.assert_close(policy(ids).logits, plain(ids).logits, atol=0, rtol=0)
