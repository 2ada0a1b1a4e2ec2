"""ResCLIP's semantic feedback against loops over pairs of patches."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_s2clip.features.methods import resclip
from napari_s2clip.features.methods.resclip import connected, semantic_feedback


def line(start, end, steps):
    """Patches on the way, rounded half to even as torch does."""
    for step in range(steps + 1):
        t = step / steps if steps else 0.0
        yield tuple(
            int(np.rint(np.float32(a * (1 - t) + b * t)))
            for a, b in zip(start, end, strict=True)
        )


def plain_connected(labels, whole_line):
    height, width = labels.shape
    at = [(r, c) for r in range(height) for c in range(width)]
    longest = max(height, width) - 1
    found = np.zeros((len(at), len(at)), bool)
    for i, a in enumerate(at):
        for j, b in enumerate(at):
            apart = max(abs(a[0] - b[0]), abs(a[1] - b[1]))
            points = list(line(a, b, apart if whole_line else longest))
            found[i, j] = all(labels[p] == labels[a] for p in points[: apart + 1])
    return found


def test_a_wall_stands_between():
    labels = torch.tensor([[0, 1, 0]])
    found = connected(labels)
    assert found.tolist() == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    assert connected(torch.zeros(2, 3, dtype=torch.long)).all()


@pytest.mark.parametrize("whole_line", [True, False])
@given(
    h=st.integers(1, 5),
    w=st.integers(1, 5),
    seed=st.integers(0, 9),
    n=st.integers(1, 3),
)
def test_connections_equal_those_of_loops(whole_line, h, w, seed, n):
    labels = np.random.default_rng(seed).integers(0, n, (h, w))
    found = connected(torch.from_numpy(labels), whole_line=whole_line)
    assert np.array_equal(found.numpy(), plain_connected(labels, whole_line))


def test_few_pairs_at_a_time_give_the_same(monkeypatch):
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (4, 6)))
    expected = connected(labels)
    monkeypatch.setattr(resclip, "_PAIRS_AT_ONCE", 1)
    assert torch.equal(connected(labels), expected)


@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (6, 8)])
def test_feedback_equals_its_formula(shape):
    labels = np.random.default_rng(1).integers(0, 3, shape)
    count = labels.size
    at = [(r, c) for r in range(shape[0]) for c in range(shape[1])]
    flat, joined = labels.ravel(), plain_connected(labels, True)
    same = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            apart = max(abs(at[i][0] - at[j][0]), abs(at[i][1] - at[j][1]))
            decay = 1.0 if joined[i, j] else np.exp(-apart / max(1, max(shape) - 1))
            same[i, j] = decay * (flat[i] == flat[j])
    size = min(count, 13)
    size += size % 2 == 0
    x = np.arange(size) - size // 2
    kernel = np.exp(-(x**2) / 8)
    kernel /= kernel.sum()
    expected = np.zeros_like(same)
    for i in range(count):
        for j in range(count):
            for offset, weight in zip(x, kernel, strict=True):
                if 0 <= j + offset < count:
                    expected[i, j] += weight * same[i, j + offset]
    expected /= expected.sum(1, keepdims=True)
    found = semantic_feedback(torch.from_numpy(labels), sigma=2.0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
