"""From addresses to a segmentation: the libraries' own checkpoints, by a whole run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import open_clip
import pytest
import timm
import torch
from safetensors.torch import save

from napari_s2clip import S2CLIP, Settings
from napari_s2clip.demo.architectures import CLIP_CONFIG, build_sam
from napari_s2clip.models.cards import CLIPS, SAMS, VFMS
from napari_s2clip.models.errors import WeightsNotFound
from napari_s2clip.models.specs import SPECS, ModelSpec
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.store import ChecksumMismatch, WeightStore

if TYPE_CHECKING:
    from .conftest import HubHome
    from .servers import FileServer, HubServer

NAMES = ["cat", "dog"]
QUICK = Settings(window=64, stride=64, short_side=64)


@pytest.fixture
def spec(
    hub: HubServer, files: FileServer, hub_home: HubHome, monkeypatch, tmp_path
) -> ModelSpec:
    """Small models of the libraries' own making, published on the servers."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-tiny", CLIP_CONFIG)
    clip = open_clip.create_model("ViT-tiny", pretrained=None, load_weights=False)
    hub.add("test/clip", "open_clip_model.safetensors", save(clip.state_dict()))
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    hub.add("test/vit", "model.safetensors", save(vit.state_dict()))
    import segment_anything

    registry = segment_anything.sam_model_registry
    monkeypatch.setitem(registry, "vit_b", lambda checkpoint: build_sam())
    torch.save(build_sam().state_dict(), tmp_path / "sam.pth")
    url = files.add("/sam.pth", tmp_path / "sam.pth")
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return replace(
        SPECS["vit-b-16"],
        clip=replace(
            CLIPS["clip-b-16"], architecture="ViT-tiny", repository="test/clip"
        ),
        vfm=replace(
            VFMS["dino-s-16"],
            architecture="vit_tiny_patch16_224",
            repository="test/vit",
        ),
        sam=replace(SAMS["sam-b"], url=url, filename="sam.pth", size=0, sha256=""),
    )


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)


def test_the_network_is_used_only_when_asked(spec, hub, files, image):
    with pytest.raises(WeightsNotFound, match="download it, or put"):
        S2CLIP.load(spec, device="cpu")
    assert hub.log == files.log == []
    seen = []
    model = S2CLIP.load(spec, device="cpu", download=True, progress=seen.append)
    messages = [report.message for report in seen]
    assert any(m.startswith("1 of 3: CLIP ViT-B/16 (OpenAI): ") for m in messages)
    assert any(m.startswith("3 of 3: SAM ViT-B: ") for m in messages)
    assert {report.stage for report in seen} == {"load"}
    result = model.segment(image, NAMES, settings=QUICK)
    assert result.refined.shape == (64, 80)
    origin = result.provenance["parts"]
    assert all(len(origin[part]["sha256"]) == 64 for part in ("clip", "vfm", "sam"))
    # They are here now.
    count = len(hub.log) + len(files.log)
    again = S2CLIP.load(spec, device="cpu", download=True)
    assert len(hub.log) + len(files.log) == count
    other = again.segment(image, NAMES, settings=QUICK)
    np.testing.assert_array_equal(other.refined, result.refined)


def test_only_what_is_needed_is_brought(spec, hub, files, image):
    parts = ("clip", "vfm")
    model = S2CLIP.load(spec, device="cpu", download=True, parts=parts)
    assert files.log == []
    assert set(model.held()) == {"clip", "vfm"}
    coarse = QUICK.model_copy(update={"refine": False})
    assert model.segment(image, NAMES, settings=coarse).coarse.shape == (64, 80)
    with pytest.raises(WeightsNotFound, match="SAM ViT-B is not on this computer"):
        model.segment(image, NAMES, settings=QUICK)
    # What is downloaded meanwhile is found.
    WeightStore().download(spec.sam)
    assert model.segment(image, NAMES, settings=QUICK).refined.shape == (64, 80)
    assert set(model.held()) == {"clip", "vfm", "sam"}


def test_files_that_were_changed_are_not_loaded(spec):
    S2CLIP.load(spec, device="cpu", download=True)
    path = WeightStore().find(spec.vfm)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ChecksumMismatch, match="recorded when it was first used"):
        S2CLIP.load(spec, device="cpu")


def test_a_file_of_the_users_own_is_held_to_nothing(spec, tmp_path, hub):
    own = tmp_path / "own.pth"
    torch.save(build_sam().state_dict(), own)
    model = S2CLIP.load(spec, device="cpu", download=True, weights={"sam": own})
    assert model.models.origin["sam"]["file"] == "own.pth"
    torch.save(build_sam().state_dict(), own)
    S2CLIP.load(spec, device="cpu", weights={"sam": own})


def test_cancel_while_weights_are_brought(spec, hub):
    token = CancelToken()
    pause = hub.faults.pause_after(1000, path="/blobs/")

    def stop(_):
        if pause.reached.is_set():
            token.cancel()

    # Whatever is reported: the first size comes before the first byte.
    token.cancel()
    with pytest.raises(Cancelled):
        S2CLIP.load(spec, device="cpu", download=True, progress=stop, cancel=token)
    assert WeightStore().find(spec.clip) is None
