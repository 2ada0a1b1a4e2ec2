"""Scores of one window against the formulas written with loops."""

import numpy as np
import pytest
import torch

from napari_s2clip.classification.scoring import (
    branch_shares,
    cosines,
    feature_surgery,
)


def unit(shape, seed):
    x = np.random.default_rng(seed).normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_cosines_have_the_phrases_in_front():
    dense, text = unit((2, 3, 4), 0), unit((5, 4), 1)
    found = cosines(torch.from_numpy(dense), torch.from_numpy(text))
    assert found.shape == (5, 2, 3)
    assert found[4, 1, 2].item() == pytest.approx(dense[1, 2] @ text[4])


def test_feature_surgery_equals_products_channel_by_channel():
    dense, text, class_token = unit((2, 3, 4), 0), unit((5, 4), 1), unit((4,), 2)
    powers = np.exp(2 * text @ class_token)
    weight = powers / powers.sum()
    weight = weight / weight.mean()
    expected = np.zeros((5, 2, 3))
    for row in range(2):
        for column in range(3):
            products = dense[row, column] * text * weight[:, None]
            redundant = products.mean(0)
            expected[:, row, column] = (products - redundant).sum(1)
    logits = cosines(torch.from_numpy(dense), torch.from_numpy(text))
    found = feature_surgery(logits, *map(torch.from_numpy, (class_token, text)))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_branches_equal_their_formula():
    dense, text = unit((3, 2, 2, 4), 0), unit((4, 4), 1)
    affinity = np.random.default_rng(2).random((4, 4))
    common = text[:3].mean(0)
    every = np.vstack([text, common / np.linalg.norm(common)])
    shares = []
    for branch in dense.reshape(3, 4, 4):
        powers = np.exp(10 * branch @ every.T)
        shares.append((powers / powers.sum(1, keepdims=True))[:, :4])
    last = shares[-1].copy()
    last[last < 0.2 * last.max(0)] = 0
    expected = affinity @ last + (shares[0] + shares[1]) / 2
    found = branch_shares(
        *map(torch.from_numpy, (dense, text)), 3, torch.from_numpy(affinity), 10.0
    )
    np.testing.assert_allclose(found, expected.T.reshape(4, 2, 2), atol=1e-12)
