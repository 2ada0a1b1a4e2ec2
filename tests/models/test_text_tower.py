import open_clip
import pytest
import torch

from napari_s2clip.demo.architectures import CLIP_CONFIG, build_clip
from napari_s2clip.models.text_tower import encode_texts

TEXTS = ["a", "a photo of a red circle", "a bad photo of the very large green ring"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_clip().eval()


@pytest.fixture(scope="module")
def tokens():
    context = CLIP_CONFIG["text_cfg"]["context_length"]
    return open_clip.SimpleTokenizer(context_length=context)(TEXTS)


def widths(module):
    """How many positions the transformer of a tower sees."""
    seen = []
    module.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    return seen


@torch.inference_mode()
def test_vectors_equal_the_library(model, tokens):
    expected = model.encode_text(tokens)
    seen = widths(model.transformer)
    found = encode_texts(model, tokens)
    assert torch.allclose(found, expected, atol=2e-5)
    # Words, their start and their end.
    assert seen == [3, 8, 11]
    assert model.positional_embedding.shape[0] == tokens.shape[1]


@torch.inference_mode()
def test_a_tower_of_its_own_class(tokens):
    torch.manual_seed(0)
    config = open_clip.get_model_config("ViT-B-32")
    small = {"width": 64, "heads": 2, "layers": 2}
    config["text_cfg"].update(small, context_length=tokens.shape[1])
    config["vision_cfg"].update(width=64, layers=1, head_width=32)
    model = open_clip.model.CustomTextCLIP(**config).eval()
    expected = model.encode_text(tokens)
    seen = widths(model.text.transformer)
    assert torch.allclose(encode_texts(model, tokens), expected, atol=2e-5)
    assert seen == [3, 8, 11]


@pytest.mark.parametrize("change", ["pool", "mask"])
@torch.inference_mode()
def test_other_towers_get_the_whole_context(model, tokens, monkeypatch, change):
    if change == "pool":
        monkeypatch.setattr(model, "text_pool_type", "last")
    else:
        monkeypatch.setattr(model, "attn_mask", torch.zeros_like(model.attn_mask))
    expected = model.encode_text(tokens)
    seen = widths(model.transformer)
    assert torch.equal(encode_texts(model, tokens), expected)
    assert seen == [tokens.shape[1]]
