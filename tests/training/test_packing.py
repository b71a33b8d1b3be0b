import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quasar.policy.sequence import TokenSequence
from quasar.training.algorithm.packing import TrainingSequence, deal, pad


def sequence(prompt, response, advantage=1.0):
    tokens = TokenSequence(
        np.arange(1, prompt + 1, dtype=np.int32),
        np.arange(100, 100 + response, dtype=np.int32),
        np.ones(response, np.int8),
        -np.arange(response, dtype=np.float32),
    )
    return TrainingSequence.of(tokens, advantage)


def pack(sequences, *, num_ranks, max_tokens, pad_id, share_prompts=False):
    """The padded micro-batches of each rank."""
    shards = deal(
        sequences, num_ranks=num_ranks, max_tokens=max_tokens, share_prompts=share_prompts
    )
    return [
        [pad(members, pad_id=pad_id, share_prompts=share_prompts) for members in shard]
        for shard in shards
    ]


sizes = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 40)), min_size=1, max_size=40)


@given(sizes, st.integers(1, 4), st.integers(30, 400), st.booleans())
def test_every_rank_runs_as_many_micro_batches_and_no_token_is_lost(shapes, ranks, budget, share):
    sequences = [sequence(*shape) for shape in shapes]
    shards = pack(sequences, num_ranks=ranks, max_tokens=budget, pad_id=0, share_prompts=share)
    assert all((b.prefix_ids is not None) == share for shard in shards for b in shard)
    assert len(shards) == ranks
    assert len({len(shard) for shard in shards}) == 1
    batches = [batch for shard in shards for batch in shard]
    assert sum(b.num_tokens for b in batches) == sum(s.counts.response for s in sequences)
    # A prompt of one token shares nothing, and takes one place of padding all the same.
    longest = max(s.counts.total for s in sequences) + share
    assert all(b.padded_tokens <= max(budget, longest) for b in batches)


@given(sizes, st.integers(1, 3), st.booleans())
def test_trained_targets_are_the_response_tokens_with_their_log_probs(shapes, ranks, share):
    sequences = [sequence(*shape) for shape in shapes]
    shards = pack(sequences, num_ranks=ranks, max_tokens=200, pad_id=0, share_prompts=share)
    targets, logs = [], []
    for batch in (b for shard in shards for b in shard):
        targets += batch.input_ids[:, 1:][batch.trained].tolist()
        logs += batch.sampler_log_probs[batch.trained].tolist()
    assert sorted(targets) == sorted(t for s in sequences for t in s.tokens.response_ids.tolist())
    assert sorted(logs) == sorted(v for s in sequences for v in s.tokens.log_probs.tolist())


def test_observation_tokens_are_context_but_not_targets():
    s = TokenSequence(
        np.array([1, 2], np.int32),
        np.array([10, 11, 12], np.int32),
        np.array([1, 0, 1], np.int8),
        np.zeros(3, np.float32),
    )
    (batch,) = pack([TrainingSequence.of(s)], num_ranks=1, max_tokens=64, pad_id=0)[0]
    assert batch.input_ids[:, 1:][batch.trained].tolist() == [10, 12]
    assert batch.attention_mask.sum() == 5


def test_fewer_sequences_than_ranks_leaves_empty_micro_batches_of_weight_zero():
    shards = pack([sequence(3, 4)], num_ranks=3, max_tokens=64, pad_id=0)
    assert [sum(b.num_tokens for b in shard) for shard in shards] == [4, 0, 0]


@given(sizes)
def test_a_prefix_and_its_row_are_the_sequence(shapes):
    sequences = [sequence(*shape) for shape in shapes]
    (batches,) = pack(sequences, num_ranks=1, max_tokens=300, pad_id=0, share_prompts=True)
    rebuilt = []
    for batch in batches:
        for row, mask, prefix in zip(
            batch.input_ids, batch.attention_mask, batch.prefix_of, strict=True
        ):
            start = batch.prefix_ids[prefix, : batch.prefix_lengths[prefix]]
            rebuilt.append((*start.tolist(), *row[mask > 0].tolist()))
    expected = [(*s.tokens.prompt_ids.tolist(), *s.tokens.response_ids.tolist()) for s in sequences]
    assert sorted(rebuilt) == sorted(expected)
