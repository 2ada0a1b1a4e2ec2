"""The published layouts of weight files, in full size and with the libraries' names."""

import json
import math
import re
import weakref
from functools import cache, lru_cache

import open_clip
import pytest
import timm
import torch
from safetensors.torch import save_file
from segment_anything import sam_model_registry
from torch import nn

from napari_s2clip.demo.architectures import build_dino, build_sam
from napari_s2clip.models import fitting
from napari_s2clip.models.fitting import PREFIXES, fill_weights
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SAMS, SPECS, VFMS
from napari_s2clip.models.state import WeightFile

PARTS = {
    **{name: SPECS[name].clip for name in ("vit-b-16", "vit-l-14", "vit-h-14")},
    **{name: part for name, part in VFMS.items() if not part.is_sam},
    **SAMS,
}
SAFE = {"F16": torch.float16, "F32": torch.float32}


@lru_cache(maxsize=1)
def vision_model(architecture):
    return timm.create_model(architecture, pretrained=False, num_classes=0)


def empty(name):
    """The library's own module, where possible without memory for its numbers."""
    part = PARTS[name]
    if part.role == "vfm":  # older timm computes while it builds
        return vision_model(part.architecture)
    with torch.device("meta"):
        if part.is_sam:
            return sam_model_registry[part.architecture](checkpoint=None)
        return open_clip.CLIP(**open_clip.get_model_config(part.architecture))


@cache
def shapes(name):
    return {key: tuple(t.shape) for key, t in empty(name).state_dict().items()}


def number(index):
    """What the tensor of an index starts with; exact in any 16 bits."""
    return index % 200 + 1.0


def write_safetensors(path, layout, dtype="F16"):
    """Zeros that take no room, and each tensor's first number."""
    size = SAFE[dtype].itemsize
    header, end = {}, 0
    for name, shape in layout.items():
        start, end = end, end + size * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        first = stream.tell()
        stream.truncate(first + end)
        for index, entry in enumerate(header.values()):
            stream.seek(first + entry["data_offsets"][0])
            one = torch.tensor(number(index), dtype=SAFE[dtype])
            stream.write(one.numpy().tobytes())


def stand_ins(layout, dtype):
    """Tensors of true names, shapes and formats, each of one number repeated."""
    return {
        name: torch.tensor(number(index), dtype=dtype).expand(shape)
        for index, (name, shape) in enumerate(layout.items())
    }


def check_filled(name, path):
    """Fill a real model, and look at the first number of each tensor."""
    model = empty(name).to_empty(device="cpu")
    fill_weights(model, PARTS[name], path)
    path.unlink()
    for index, tensor in enumerate(model.state_dict().values()):
        assert tensor.dtype == torch.float32
        assert tensor.flatten()[0] == number(index)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("vit-b-16", "F32"),
        ("vit-l-14", "F16"),
        ("vit-h-14", "F16"),
        *((name, "F32") for name in PARTS if name.startswith("dino")),
        ("sam-b", "F32"),
    ],
)
def test_a_published_safetensors_fills_its_model(tmp_path, name, dtype):
    path = tmp_path / PARTS[name].filename
    write_safetensors(path, shapes(name), dtype)
    check_filled(name, path)


@pytest.mark.parametrize(
    ("name", "dtype", "filename"),
    [
        ("vit-h-14", torch.float32, "open_clip_pytorch_model.bin"),
        ("sam-b", torch.float32, "sam_vit_b_01ec64.pth"),
        ("sam-l", torch.float32, "sam_vit_l_0b3195.pth"),
        ("sam-h", torch.float32, "sam_vit_h_4b8939.pth"),
        ("sam-b", torch.bfloat16, "own.pth"),
        ("vit-l-14", torch.float64, "own.pth"),
    ],
)
def test_a_published_file_of_pytorch_fills_its_model(tmp_path, name, dtype, filename):
    path = tmp_path / filename
    torch.save(stand_ins(shapes(name), dtype), path)
    check_filled(name, path)


@pytest.mark.parametrize("name", ["vit-b-16", "vit-l-14"])
def test_the_tensors_of_openai_fill_their_model(tmp_path, name):
    state = stand_ins(shapes(name), torch.float16)
    for key, value in {"input_resolution": 224, "context_length": 77}.items():
        state[key] = torch.tensor(value)
    state["vocab_size"] = torch.tensor(49408)
    path = tmp_path / "own.pt"
    torch.save(state, path)
    check_filled(name, path)


def test_the_names_are_those_that_were_published():
    openai = shapes("vit-b-16")
    assert openai["visual.conv1.weight"] == (768, 3, 16, 16)
    assert openai["visual.transformer.resblocks.11.attn.in_proj_weight"] == (2304, 768)
    assert openai["transformer.resblocks.11.mlp.c_fc.weight"] == (2048, 512)
    assert openai["text_projection"] == (512, 512)
    assert openai["logit_scale"] == ()
    dino = shapes("dinov2-s-14")
    assert dino["pos_embed"] == (1, 1 + 37 * 37, 384)
    assert dino["blocks.11.ls1.gamma"] == (384,)
    assert not any(name.startswith("head") for name in dino)
    assert shapes("sam-h")["image_encoder.pos_embed"] == (1, 64, 64, 1280)


def dino_file(tmp_path, change, wrapper=None):
    state = change(stand_ins(shapes("dino-s-16"), torch.float32))
    path = tmp_path / "own.pth"
    torch.save({wrapper: state} if wrapper else state, path)
    return path


def with_heads(state):
    return state | {
        "head.mlp.0.weight": torch.zeros(3, 3),
        "head.last_layer.weight_g": torch.zeros(3),
    }


def prefixed(prefix):
    return lambda state: {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    ("change", "wrapper"),
    [
        (lambda state: state, None),
        (with_heads, None),
        (lambda state: state | {"mask_token": torch.zeros(1, 384)}, None),
        # DINO's own checkpoints: the teacher, and the student of several GPUs.
        (lambda state: with_heads(prefixed("backbone.")(state)), "teacher"),
        (lambda s: prefixed("module.")(with_heads(prefixed("backbone.")(s))), None),
        *((prefixed(prefix), "state_dict") for prefix in PREFIXES),
    ],
)
def test_dino_as_training_programs_write_it(tmp_path, change, wrapper):
    check_filled("dino-s-16", dino_file(tmp_path, change, wrapper))


@pytest.mark.parametrize("wrapper", ["model_state", "model"])
@pytest.mark.parametrize("prefix", ["", "sam.", "module.", "module.sam."])
def test_a_fine_tuned_sam_as_training_programs_write_it(tmp_path, wrapper, prefix):
    state = prefixed(prefix)(stand_ins(shapes("sam-b"), torch.float32))
    path = tmp_path / "best.pt"
    decoder = {"conv.weight": torch.zeros(2)}
    torch.save({wrapper: state, "decoder_state": decoder, "epoch": 7}, path)
    check_filled("sam-b", path)


def refusal(name, path):
    with pytest.raises(ValueError, match=" does not fit ") as caught:
        fill_weights(empty(name), PARTS[name], path)
    message = str(caught.value)
    assert "\n" not in message
    start = f"weights[{PARTS[name].role!r}]: {path.name} does not fit "
    assert message.startswith(start)
    return message.split(": ", 2)[2]


@pytest.mark.parametrize(
    ("wanted", "given", "reason", "title"),
    [
        (
            "sam-b",
            "sam-h",
            r"image_encoder.pos_embed is .* 1280\), expected .* 768\) \(and \d+ more\)",
            "SAM ViT-H",
        ),
        ("sam-h", "sam-l", r".* \(and \d+ more\)", "SAM ViT-L"),
        (
            "dino-b-8",
            "dino-b-16",
            r"pos_embed is \(1, 197, 768\), expected \(1, 785, 768\) \(and 1 more\)",
            "DINO ViT-B/16",
        ),
        ("dino-b-8", "dino-s-8", "cls_token is .*", "DINO ViT-S/8"),
        ("dino-b-16", "dinov2-b-14", "pos_embed is .*", "DINOv2 ViT-B/14"),
        ("vit-b-16", "vit-l-14", "positional_embedding is .*", "CLIP ViT-L/14"),
        ("vit-l-14", "vit-h-14", "positional_embedding is .*", "CLIP ViT-H/14"),
        (
            "dino-b-8",
            "sam-b",
            r"no name in common: it holds .* more\), expected cls_token, pos_embed .*",
            "SAM ViT-B",
        ),
        ("sam-b", "vit-b-16", "no name in common: .*", "CLIP ViT-B/16"),
    ],
)
def test_another_model_is_named(tmp_path, wanted, given, reason, title):
    path = tmp_path / "own.safetensors"
    write_safetensors(path, shapes(given))
    found = refusal(wanted, path)
    assert re.fullmatch(f"{reason}; it looks like {title}", found), found
    path.unlink()


@pytest.mark.parametrize(
    ("layout", "title"),
    [
        ({"visual.conv1.weight": (768, 3, 32, 32)}, "CLIP ViT-B/32"),
        (
            {
                "visual.conv1.weight": (1024, 3, 14, 14),
                "visual.positional_embedding": (577, 1024),
            },
            "CLIP ViT-L/14 for 336 px",
        ),
        ({"visual.layer1.0.conv1.weight": (1,)}, "a CLIP whose image tower is a ResN"),
        ({"visual.trunk.cls_token": (1,)}, "a CLIP whose image tower is one of timm"),
        ({"vision_model.embeddings.x": (1,)}, "a CLIP of the transformers package"),
        ({"vision_encoder.pos_embed": (1,)}, "a SAM of the transformers package"),
        ({"embeddings.cls_token": (1,)}, "a ViT of the transformers package"),
        ({"image_encoder.trunk.pos_embed": (1,)}, "SAM 2"),
        ({"image_encoder.layers.0.weight": (1,)}, "MobileSAM"),
        ({"image_encoder.pos_embed": (1, 64, 64, 96)}, "SAM of width 96"),
        (
            {"patch_embed.proj.weight": (768, 3, 16, 16), "norm_pre.weight": (768,)},
            "the image tower alone of CLIP ViT-B/16",
        ),
        (
            {"patch_embed.proj.weight": (384, 3, 14, 14), "reg_token": (1, 4, 384)},
            "DINOv2 ViT-S/14 with registers",
        ),
    ],
)
def test_models_of_other_kinds_are_named(tmp_path, layout, title):
    path = tmp_path / "own.safetensors"
    write_safetensors(path, layout)
    assert f"; it looks like {title}" in refusal("dino-s-8", path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: state.pop("norm.bias"), "norm.bias is missing"),
        (
            lambda state: [state.pop(f"blocks.{n}.norm1.bias") for n in range(4)],
            "blocks.0.norm1.bias, blocks.1.norm1.bias (and 2 more) are missing",
        ),
        (lambda state: state.update(extra=torch.zeros(1)), "extra is not expected"),
        (
            lambda state: state.update(
                {"a\nb": state.pop("norm.bias"), "c" * 99: torch.zeros(1)}
            ),
            "norm.bias is missing; 'a\\nb', " + "c" * 79 + "… are not expected",
        ),
        (
            lambda state: state.update({"norm.bias": torch.zeros(129)}),
            "norm.bias is (129,), expected (128,)",
        ),
        (  # the same number of numbers is not the same shape
            lambda state: state.update(cls_token=torch.zeros(128)),
            "cls_token is (128,), expected (1, 1, 128)",
        ),
        (
            lambda state: state.update({"norm.bias": state["norm.bias"].char()}),
            "norm.bias is int8, expected float32",
        ),
        (
            lambda state: state.update(
                {"norm.bias": state["norm.bias"].to(torch.float8_e4m3fn)}
            ),
            "norm.bias is float8_e4m3fn, expected float32",
        ),
        (
            lambda state: state.update({"norm.bias": state["norm.bias"] * 1j}),
            "norm.bias is complex64, expected float32",
        ),
        (  # no prefix of all names
            lambda state: state.update({"module.a": state.pop("norm.bias")}),
            "norm.bias is missing; module.a is not expected",
        ),
        (  # more of the model than it has
            lambda state: state.update(reg_token=torch.zeros(1, 4, 128)),
            "reg_token is not expected; it looks like DINOv2 of width 128/8 with reg",
        ),
    ],
)
def test_one_line_says_what_does_not_fit_and_nothing_is_filled(
    tmp_path, change, reason
):
    model = build_dino()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = build_dino().state_dict()
    change(state)
    path = tmp_path / "own.pth"
    torch.save(state, path)
    with pytest.raises(ValueError, match="does not fit Demo DINO") as caught:
        fill_weights(model, SPECS["demo"].vfm, path)
    start = "weights['vfm']: own.pth does not fit Demo DINO (demo): "
    assert str(caught.value).startswith(start + reason)
    assert "\n" not in str(caught.value)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_single_number_may_be_written_as_a_list_of_one(tmp_path):
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.logit_scale = nn.Parameter(torch.zeros(()))

    model, path = Scale(), tmp_path / "own.safetensors"
    save_file({"logit_scale": torch.tensor([3.0])}, path)
    fill_weights(model, SPECS["demo"].clip, path)
    assert model.logit_scale == 3
    assert model.logit_scale.shape == ()


@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_a_file_that_is_opened_many_times_is_read_as_a_whole(
    tmp_path, monkeypatch, kind
):
    monkeypatch.setattr(fitting, "_AT_ONCE", 200_000)
    state, path = build_sam().state_dict(), tmp_path / "own"
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    model = build_sam()
    fill_weights(model, SPECS["demo"].sam, path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_one_opening_of_a_file_ends_before_the_next(tmp_path, monkeypatch):
    # What has been read of a mapped file is memory of this program.
    monkeypatch.setattr(fitting, "_AT_ONCE", 200_000)
    path = tmp_path / "own.safetensors"
    save_file(build_sam().half().state_dict(), path)
    opened, read = [], WeightFile.read

    def watched(file):
        assert not any(tensor() for tensor in opened)
        state = read(file)
        opened.extend(map(weakref.ref, state.values()))
        return state

    monkeypatch.setattr(WeightFile, "read", watched)
    model = build_sam()
    fill_weights(model, SPECS["demo"].sam, path)
    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    openings = len(opened) / len(model.state_dict())
    assert 3 < openings <= 1 + size / 200_000


def test_a_file_that_changes_meanwhile_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "own.safetensors"
    save_file(build_dino().state_dict(), path)
    parts = fitting._portions

    def change(target):
        names = [name for portion in parts(target) for name in portion]
        yield names[:1]
        path.unlink()
        save_file({name: torch.zeros(2) for name in names}, path)
        yield names[1:]

    monkeypatch.setattr(fitting, "_portions", change)
    with pytest.raises(ValueError, match=r"own\.safetensors has changed while it was"):
        fill_weights(build_dino(), SPECS["demo"].vfm, path)


def test_what_is_filled_is_no_window_onto_the_file(tmp_path):
    path = tmp_path / "own.safetensors"
    state = build_dino().state_dict()
    save_file(state, path)
    model = build_dino()
    fill_weights(model, SPECS["demo"].vfm, path)
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(model.state_dict()["pos_embed"], state["pos_embed"])


def test_heads_are_left_out_of_a_fusion_model_alone(tmp_path):
    path = tmp_path / "own.pth"
    torch.save(build_sam().state_dict() | {"head.bias": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"head\.bias is not expected"):
        load_models(SPECS["demo"], torch.device("cpu"), {"sam": path})
