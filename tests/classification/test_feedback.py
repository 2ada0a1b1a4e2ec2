"""The second pass of ResCLIP."""

import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.classification import window_scores
from napari_s2clip.classification.feedback import patch_classes


def test_the_most_frequent_phrase_of_each_patch():
    # Two halves of different brightness; the logits agree with them.
    image = torch.zeros(3, 32, 32)
    image[:, :, 16:] = 255
    logits = torch.tensor([[[1.0, -1.0]], [[-1.0, 1.0]]])
    found = patch_classes(logits, image, 8, logit_scale=40, threshold=0.6)
    assert found.tolist() == [[0, 0, 1, 1]] * 4


@pytest.mark.parametrize("nothing", [-1, 0])
def test_what_is_not_probable_belongs_to_nothing(nothing):
    logits = torch.zeros(4, 2, 2)
    logits[3] = 0.001
    image = torch.rand(3, 16, 16, generator=torch.manual_seed(0))
    found = patch_classes(
        logits, image, 8, logit_scale=1, threshold=0.5, nothing=nothing
    )
    assert found.tolist() == [[nothing] * 2] * 2
    found = patch_classes(logits, image, 8, logit_scale=1, threshold=0.2)
    assert found.tolist() == [[3] * 2] * 2


@pytest.fixture(scope="module")
def demo():
    return S2CLIP.load("demo", device="cpu")


@pytest.fixture(scope="module")
def encoded(demo):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    settings = Settings(method="resclip", refine=False, whole_image=True, short_side=64)
    return demo.encode(image, settings=settings)


def scores(demo, encoded, **changes):
    settings = encoded.settings.model_copy(update=changes)
    text = torch.nn.functional.normalize(
        torch.randn(3, 128, generator=torch.manual_seed(0)), dim=-1
    )
    return window_scores(
        demo.models.clip,
        encoded.dense[0],
        {name: value[0] for name, value in encoded.extras.items()},
        torch.from_numpy(encoded.image).permute(2, 0, 1).float(),
        text,
        3,
        settings,
    )


def test_without_feedback_the_first_pass_counts(demo, encoded):
    off = scores(demo, encoded, feedback=False)
    on = scores(demo, encoded)
    assert not torch.allclose(on, off, atol=1e-4)
    # No share of the feedback, nothing else changed: the first pass again.
    same = scores(demo, encoded, feedback_share=0.0, feedback_scale=1.0)
    assert torch.allclose(same, off, atol=1e-5)


def test_the_code_takes_unsure_pixels_for_the_first_phrase(demo, encoded):
    as_paper = scores(demo, encoded, feedback_threshold=1.0)
    as_code = scores(demo, encoded, feedback_threshold=1.0, variant="code")
    # All unsure: one class everywhere in both readings.
    assert torch.allclose(as_paper, as_code, atol=1e-5)
    some = scores(demo, encoded, feedback_threshold=0.34)
    assert some.shape == as_code.shape
