import json
import sys

import numpy as np
import pytest
import torch

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.models.diffusion import PARTS, DiffusionModel, load_diffusion
from napari_s2clip.progress import Cancelled

diffusers = pytest.importorskip("diffusers")
CPU = torch.device("cpu")
SIDE = 32


def parts():
    """A Stable Diffusion of the same build, tiny and random."""
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(8, 16),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIDE,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=SIDE // 2,
        layers_per_block=2,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=8,
        norm_num_groups=4,
    )
    return vae, unet, diffusers.DDIMScheduler(steps_offset=1, clip_sample=False)


@pytest.fixture(scope="module")
def prompt():
    return torch.randn(1, 5, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def model(prompt):
    return DiffusionModel(*parts(), prompt, CPU, SIDE)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)


def test_it_is_the_attention_of_the_finest_block(model, prompt, image):
    found = list(model.attention(image, seed=3))
    seen = {}

    def remember(name):
        return lambda module, args, result: seen.__setitem__(name, result[0])

    blocks = model.unet.up_blocks[-1].attentions
    hooks = [
        getattr(blocks[i].transformer_blocks[0].attn1, part).register_forward_hook(
            remember((i, part))
        )
        for i in (0, 1)
        for part in ("to_q", "to_k")
    ]
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    pixels = torch.nn.functional.interpolate(
        pixels, (SIDE, SIDE), mode="bilinear", antialias=True
    )
    scheduler = diffusers.DDIMScheduler(steps_offset=1, clip_sample=False)
    scheduler.set_timesteps(50)
    with torch.inference_mode():
        latents = model.vae.encode(pixels).latent_dist.mean
        latents = latents * model.vae.config.scaling_factor
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(3))
        time = scheduler.timesteps[45]
        noisy = scheduler.add_noise(latents, noise, time[None])
        model.unet(noisy, time, encoder_hidden_states=prompt)
    for hook in hooks:
        hook.remove()
    heads = model.unet.up_blocks[-1].attentions[0].transformer_blocks[0].attn1.heads
    assert len(found) == 2 * heads > 2
    # The product is block 1, then block 0, its heads in order; the last comes first.
    expected = []
    for i in (1, 0):
        q, k = (
            seen[i, part].view(256, heads, -1).transpose(0, 1)
            for part in ("to_q", "to_k")
        )
        expected += [
            (a @ b.T / q.shape[-1] ** 0.5).softmax(-1)
            for a, b in zip(q, k, strict=True)
        ]
    for one, other in zip(found, expected[::-1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_denoiser_is_left_as_it_was(model, image):
    before = [type(p) for p in model.unet.attn_processors.values()]
    one, other = (list(model.attention(image)) for _ in range(2))
    assert [type(p) for p in model.unet.attn_processors.values()] == before
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one[0], next(iter(model.attention(image, seed=1))))


def test_each_step_is_reported_and_may_be_the_last(model, image):
    steps = []
    heads = list(model.attention(image, on_step=lambda *step: steps.append(step)))
    total = 2 + len(heads)
    assert steps == [(done, total) for done in range(total + 1)]

    def stop(done, total):
        if done == 1:
            raise Cancelled

    before = [type(p) for p in model.unet.attn_processors.values()]
    with pytest.raises(Cancelled):
        list(model.attention(image, on_step=stop))
    assert [type(p) for p in model.unet.attn_processors.values()] == before


def test_a_folder_in_the_layout_of_diffusers(tmp_path, image):
    transformers = pytest.importorskip("transformers")
    vae, unet, scheduler = parts()
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2, "a</w>": 3}
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), model_max_length=5
    )
    config = transformers.CLIPTextConfig(
        vocab_size=4,
        hidden_size=12,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=5,
        projection_dim=12,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    pipe = diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=transformers.CLIPTextModel(config),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(tmp_path / "sd")
    loaded = load_diffusion(tmp_path / "sd", CPU)
    loaded.side = SIDE
    assert loaded.prompt.shape == (1, 5, 12)
    direct = DiffusionModel(*parts(), loaded.prompt, CPU, SIDE)
    for a, b in zip(loaded.attention(image), direct.attention(image), strict=True):
        torch.testing.assert_close(a, b)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no model_index\.json"):
        load_diffusion(tmp_path, CPU)


def make_folder(path, index, parts=()):
    path.mkdir()
    (path / "model_index.json").write_text(index, encoding="utf-8")
    for part in parts:
        (path / part).mkdir()
    return path


INDEX = json.dumps(
    {"_class_name": "StableDiffusionPipeline"}
    | {part: ["diffusers", "Unknown"] for part in PARTS}
)


@pytest.mark.parametrize(
    ("index", "parts", "message"),
    [
        ("{}", (), "names no vae"),
        ("[]", (), "names no vae"),
        ("{", (), "is no JSON"),
        (INDEX, PARTS[:2], "holds no folder scheduler"),
        (INDEX, PARTS, "cannot be loaded"),
    ],
)
def test_an_incomplete_folder_is_refused(tmp_path, index, parts, message):
    folder = make_folder(tmp_path / "sd", index, parts)
    with pytest.raises(ValueError, match=message) as caught:
        load_diffusion(folder, CPU)
    assert str(caught.value).startswith(f"diffusion: {folder}")
    assert "\n" not in str(caught.value)


def test_without_diffusers_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ValueError, match="diffusers is not installed; pip install"):
        load_diffusion(tmp_path, CPU)


def test_the_folder_is_looked_at_before_anything_is_loaded(tmp_path):
    steps = []
    folder = make_folder(tmp_path / "sd", "{}")
    for wrong, message in ((folder, "names no vae"), ({}, "not dict")):
        with pytest.raises(ValueError, match=message):
            S2CLIP.load("demo", diffusion=wrong, progress=steps.append)
    assert not steps


def test_the_pipeline_refines_probabilities_with_it(model, image):
    with_it = S2CLIP.load("demo", device="cpu", diffusion=model)
    features = with_it.encode(image)
    settings = Settings(probability_refiner="diffusion", refine=False)
    names = ["grass", "water"]
    steps = []
    found = with_it.segment(features, names, settings=settings, progress=steps.append)
    assert "Stable Diffusion" in [step.message for step in steps]
    plain = with_it.segment(features, names, settings=Settings(refine=False))
    assert np.abs(found.probabilities - plain.probabilities).max() > 0.01
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-4)
    np.testing.assert_array_equal(found.coarse, found.probabilities.argmax(0) + 1)
    without = S2CLIP.load("demo", device="cpu")
    with pytest.raises(ValueError, match="probability_refiner: diffusion needs Stable"):
        without.segment(features, names, settings=settings)
