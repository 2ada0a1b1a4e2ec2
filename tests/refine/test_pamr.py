"""PAMR against loops over pixels."""

import numpy as np
import torch

from napari_s2clip.refine import pamr as module
from napari_s2clip.refine.pamr import affinity, pamr


def plain_affinity(image, dilations):
    height, width = image.shape[1:]
    count = 8 * len(dilations)
    found = np.zeros((count, height, width))
    for y in range(height):
        for x in range(width):
            neighbours = [
                image[
                    :,
                    np.clip(y + d * r, 0, height - 1),
                    np.clip(x + d * c, 0, width - 1),
                ]
                for d in dilations
                for r in (-1, 0, 1)
                for c in (-1, 0, 1)
                if (r, c) != (0, 0)
            ]
            centre = image[:, y, x]
            everything = np.array([*neighbours, *[centre] * len(dilations)])
            deviation = everything.std(0, ddof=1)
            scores = [
                np.mean(-np.abs(n - centre) / (1e-8 + 0.1 * deviation))
                for n in neighbours
            ]
            powers = np.exp(np.array(scores) - max(scores))
            found[:, y, x] = powers / powers.sum()
    return found


def test_affinity_equals_loops():
    image = np.random.default_rng(0).random((3, 5, 7))
    found = affinity(torch.from_numpy(image), (1, 2))
    np.testing.assert_allclose(found, plain_affinity(image, (1, 2)), atol=1e-9)


def test_one_step_by_hand():
    # A flat image: all eight neighbours count the same.
    maps = torch.zeros(1, 3, 3)
    maps[0, 1, 1] = 8.0
    found = pamr(torch.zeros(3, 3, 3), maps, iterations=1, dilations=(1,))
    assert torch.allclose(found[0, 0, 0], torch.tensor(1.0))
    assert found[0, 1, 1] == 0


def test_scale_and_offset_of_the_image_do_not_matter():
    image = torch.rand(3, 9, 8, generator=torch.manual_seed(0), dtype=torch.float64)
    maps = torch.rand(2, 9, 8, generator=torch.manual_seed(1), dtype=torch.float64)
    gains = torch.tensor([3.0, 50.0, 0.2]).view(3, 1, 1)
    assert torch.allclose(
        pamr(image, maps, dilations=(2,)),
        pamr(image * gains + 7, maps, dilations=(2,)),
        atol=1e-5,
    )


def test_maps_in_parts_are_the_same(monkeypatch):
    image = torch.rand(3, 9, 8, generator=torch.manual_seed(0))
    maps = torch.rand(3, 9, 8, generator=torch.manual_seed(1))
    whole = pamr(image, maps)
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    assert torch.equal(pamr(image, maps), whole)


def test_each_step_is_reported(monkeypatch):
    image = torch.rand(3, 9, 8, generator=torch.manual_seed(0))
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    steps = []
    pamr(image, image[:2], iterations=3, on_step=lambda *step: steps.append(step))
    # The weights, then three for each of two maps.
    assert steps == [(done, 7) for done in range(8)]
