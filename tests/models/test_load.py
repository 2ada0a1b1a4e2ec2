import logging
import re
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from napari_s2clip.demo.architectures import CLIP_CONFIG, build_sam
from napari_s2clip.models import load as load_module
from napari_s2clip.models.cards import ModelCard
from napari_s2clip.models.errors import WeightsNotFound
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS, ModelSpec
from napari_s2clip.models.vfm import SamEncoder
from napari_s2clip.progress import Progress, Reporter
from napari_s2clip.store import ChecksumMismatch
from napari_s2clip.store import store as store_module

CPU = torch.device("cpu")


def test_random_weights_repeat_and_leave_the_global_state_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = load_models(SPECS["demo"], CPU, "random")
    assert torch.equal(torch.random.get_rng_state(), before)
    two = load_models(SPECS["demo"], CPU, "random")
    for name, value in one.clip.model.state_dict().items():
        assert torch.equal(value, two.clip.model.state_dict()[name])
    assert one.origin["sam"]["file"] == "random weights"


def test_built_in_weights_load_in_single_precision():
    models = load_models(SPECS["demo"], CPU)
    assert models.clip.model.visual.proj.dtype == torch.float32
    assert len(models.origin["clip"]["sha256"]) == 64
    assert not any(p.requires_grad for p in models.vfm.model.parameters())


def test_loading_reports_each_part():
    seen: list[Progress] = []
    load_models(SPECS["demo"], CPU, "random", Reporter(seen.append))
    assert [(p.stage, p.done, p.total) for p in seen] == [
        ("load", 0, 3),
        ("load", 1, 3),
        ("load", 2, 3),
        ("load", 3, 3),
    ]
    assert seen[0].message == "Demo CLIP"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_own_files_are_loaded(tmp_path, suffix):
    torch.manual_seed(9)
    state = build_sam().state_dict()
    path = tmp_path / f"own{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    models = load_models(SPECS["demo"], CPU, {"sam": path})
    loaded = models.sam.sam.state_dict()
    assert torch.equal(
        loaded["mask_decoder.mask_tokens.weight"],
        state["mask_decoder.mask_tokens.weight"],
    )
    assert models.origin["sam"]["file"] == path.name


def test_a_file_of_another_architecture_is_refused_by_name(tmp_path):
    path = tmp_path / "wrong.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(
        ValueError,
        match=r"weights\['vfm'\]: wrong.safetensors does "
        "not fit Demo DINO",
    ):
        load_models(SPECS["demo"], CPU, {"vfm": path})


def test_an_unknown_word_for_weights_is_refused():
    with pytest.raises(ValueError, match="is not 'random'"):
        load_models(SPECS["demo"], CPU, "pretrained")  # type: ignore[arg-type]


def demo_with_sam() -> ModelSpec:
    """The demo's CLIP with the real SAM for both of its roles."""
    spec = SPECS["demo"].with_vfm("sam-b-16")
    return replace(spec, sam=SPECS["vit-b-16"].sam)


@pytest.fixture
def small_registry(monkeypatch):
    """segment_anything builds the demo's SAM for each of its names."""
    from segment_anything import sam_model_registry

    monkeypatch.setitem(sam_model_registry, "vit_b", lambda checkpoint: build_sam())


def test_a_sam_that_is_fusion_model_too_is_held_once(small_registry):
    models = load_models(demo_with_sam(), CPU, "random")
    assert isinstance(models.vfm, SamEncoder)
    assert models.vfm.sam is models.sam
    assert models.origin["vfm"]["architecture"] == "vit_b"


def test_it_follows_the_file_given_for_sam(small_registry, tmp_path):
    path = tmp_path / "sam.pth"
    torch.manual_seed(9)
    state = build_sam().state_dict()
    torch.save(state, path)
    models = load_models(demo_with_sam(), CPU, {"sam": path})
    assert models.vfm.sam is models.sam
    assert models.origin["vfm"]["sha256"] == models.origin["sam"]["sha256"]
    weight = models.vfm.sam.sam.image_encoder.state_dict()["pos_embed"]
    assert torch.equal(weight, state["image_encoder.pos_embed"])


def test_another_file_is_another_model(small_registry, tmp_path):
    paths = {"sam": tmp_path / "sam.pth", "vfm": tmp_path / "vfm.pth"}
    for seed, path in enumerate(paths.values()):
        torch.manual_seed(seed)
        torch.save(build_sam().state_dict(), path)
    models = load_models(demo_with_sam(), CPU, paths)
    assert models.vfm.sam is not models.sam.sam
    assert models.origin["vfm"]["file"] == "vfm.pth"


def test_low_precision_is_that_of_the_image_encoder_alone(small_registry):
    low = load_models(demo_with_sam(), CPU, "random", precision="bf16")
    full = load_models(demo_with_sam(), CPU, "random", precision="fp32")
    for part in (low.sam.sam.prompt_encoder, low.sam.sam.mask_decoder):
        assert {p.dtype for p in part.parameters()} == {torch.float32}
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    one, other = low.sam.encode(image).features, full.sam.encode(image).features
    assert one.dtype == torch.float32
    assert not torch.equal(one, other)
    assert torch.cosine_similarity(one, other, dim=1).min() > 0.99
    assert not torch.equal(low.vfm.tokens(image[None]), full.vfm.tokens(image[None]))


def test_the_precision_is_part_of_where_models_come_from():
    models = load_models(SPECS["demo"], CPU, "random", precision="bf16")
    assert models.precision == "bf16"
    assert {part["precision"] for part in models.origin.values()} == {"bf16"}


def test_the_demo_computes_in_single_precision_unless_asked(monkeypatch):
    monkeypatch.setattr("napari_s2clip.models.precision.cpu_has_bf16", lambda: True)
    assert load_models(SPECS["demo"], CPU, "random").precision == "fp32"
    other = replace(SPECS["demo"], precision="auto")
    assert load_models(other, CPU, "random").precision == "bf16"


def test_an_impossible_precision_is_refused_before_weights_are_looked_for():
    with pytest.raises(ValueError, match="precision: fp16 does not work on cpu"):
        load_models(SPECS["vit-b-16"], CPU, {"clip": "/nowhere"}, precision="fp16")


@pytest.fixture
def tiny_spec(monkeypatch) -> ModelSpec:
    """The demo's sizes under a name of open_clip, as if they were any other CLIP."""
    known = open_clip.factory._MODEL_CONFIGS
    monkeypatch.setitem(known, "ViT-tiny", CLIP_CONFIG)
    clip = ModelCard("clip", "tiny", "Tiny CLIP", "ViT-tiny", "tiny.safetensors")
    return replace(SPECS["demo"], clip=clip)


def test_nothing_is_said_of_random_weights_that_are_filled_in(
    tiny_spec, tmp_path, caplog, capfd
):
    model = open_clip.create_model("ViT-tiny", pretrained=None, load_weights=False)
    # What open_clip says by itself: its versions have two sentences.
    assert re.search("No pretrained weights|initialized partially", caplog.text)
    caplog.clear()
    capfd.readouterr()
    path = tmp_path / "tiny.safetensors"
    save_file(model.state_dict(), path)
    load_models(tiny_spec, CPU, {"clip": path})
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_other_warnings_of_the_root_logger_pass(tiny_spec, monkeypatch, caplog):
    create = open_clip.create_model

    def while_building(*args, **options):
        logging.warning("something else")
        other = threading.Thread(target=create, args=args)
        other.start()
        other.join()
        return create(*args, **options)

    monkeypatch.setattr(open_clip, "create_model", while_building)
    load_models(tiny_spec, CPU, "random")
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "something else"
    assert len(said) == 2
    assert re.match("No pretrained weights|Model ViT-tiny initialized", said[1])
    assert not logging.getLogger().filters
    logging.warning("No pretrained weights loaded for model 'x'.")
    logging.warning("Model x initialized partially.")
    assert len(caplog.records) == 4


def test_the_filter_goes_when_building_fails(tiny_spec, monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("no memory")

    monkeypatch.setattr(open_clip, "create_model", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        load_models(tiny_spec, CPU, "random")
    assert not logging.getLogger().filters


def test_parts_are_built_when_they_are_used():
    models = load_models(SPECS["demo"], CPU, parts=())
    assert models.held() == {}
    assert models.sam is models.sam
    assert set(models.held()) == {"sam"}
    models.prepare(("clip",))
    assert set(models.held()) == {"clip", "sam"}


def test_what_is_held_are_the_bytes_of_the_weights():
    held = load_models(SPECS["demo"], CPU).held()
    for part in SPECS["demo"].parts:
        assert held[part.role] == part.memory, part.role


def test_a_sam_that_is_fusion_model_too_counts_once(monkeypatch):
    import segment_anything

    registry = segment_anything.sam_model_registry
    monkeypatch.setitem(registry, "vit_b", lambda checkpoint: build_sam())
    spec = SPECS["vit-b-16"].with_vfm("sam-b-16")
    models = load_models(spec, CPU, "random", parts=("sam", "vfm"))
    held = models.held()
    assert held["sam"] > 0
    assert held["vfm"] == 0


def test_released_parts_are_built_again_as_they_were():
    models = load_models(SPECS["demo"], CPU)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    before = models.sam.encode(image).features
    gone = weakref.ref(models.sam)
    models.release()
    assert gone() is None
    assert models.held() == {}
    torch.testing.assert_close(models.sam.encode(image).features, before)


def test_random_weights_are_the_same_in_any_order():
    one = load_models(SPECS["demo"], CPU, "random")
    other = load_models(SPECS["demo"], CPU, "random", parts=("sam", "clip"))
    for found, expected in (
        (other.sam.sam, one.sam.sam),
        (other.vfm.model, one.vfm.model),
    ):
        for key, value in expected.state_dict().items():
            torch.testing.assert_close(found.state_dict()[key], value)


def test_two_threads_build_a_part_once(monkeypatch):
    built = []
    build = load_module.build

    def slow(card, path):
        built.append(card.role)
        time.sleep(0.05)
        return build(card, path)

    monkeypatch.setattr(load_module, "build", slow)
    models = load_models(SPECS["demo"], CPU, parts=())
    threads = [threading.Thread(target=lambda: models.sam) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["sam"]


def test_a_part_that_is_not_needed_may_be_missing(tmp_path, monkeypatch):
    spec = replace(SPECS["demo"], sam=SPECS["vit-b-16"].sam)
    with pytest.raises(WeightsNotFound, match="SAM ViT-B is not on this computer"):
        load_models(spec, CPU)
    models = load_models(spec, CPU, parts=("clip", "vfm"))
    assert models.origin["sam"]["file"] == models.origin["sam"]["sha256"] == ""
    with pytest.raises(WeightsNotFound, match="SAM ViT-B is not on this computer"):
        _ = models.sam


def test_the_weights_of_the_package_are_held_to_their_checksums(monkeypatch, tmp_path):
    for card in SPECS["demo"].parts:
        content = (store_module.BUILT_IN / card.filename).read_bytes()
        (tmp_path / card.filename).write_bytes(content + b" ")
    load_models(SPECS["demo"], CPU)
    monkeypatch.setattr(store_module, "BUILT_IN", tmp_path)
    with pytest.raises(ChecksumMismatch, match="reinstall napari-s2clip"):
        load_models(SPECS["demo"], CPU)
