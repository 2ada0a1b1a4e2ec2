import hashlib
from pathlib import Path

import pytest

from napari_s2clip.models.errors import WeightsNotFound
from napari_s2clip.models.find import find_spec
from napari_s2clip.models.specs import SPECS, ModelSpec
from napari_s2clip.models.weights import locate, locate_all
from napari_s2clip.settings import Settings
from napari_s2clip.store import cache_folder
from napari_s2clip.store.records import sha256


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path))
    return tmp_path


def test_the_cache_folder_follows_its_variable(store, monkeypatch):
    assert cache_folder() == store
    monkeypatch.delenv("NAPARI_S2CLIP_CACHE")
    assert cache_folder().name == "napari-s2clip"


@pytest.mark.parametrize("name", [n for n in SPECS if n != "demo"])
def test_a_missing_file_is_named_with_its_source_and_a_remedy(store, name):
    with pytest.raises(WeightsNotFound) as caught:
        locate_all(SPECS[name])
    message = str(caught.value)
    part = SPECS[name].clip
    assert part.title in message
    assert part.filename in message
    assert part.source in message
    first = f"{part.title} is not on this computer: download it, or put {part.filename}"
    assert message.startswith(f"{first} into {store / part.folder}; it is published")
    assert f"`napari-s2clip models download {part.name}`" in message
    assert "download=True" in message
    assert "--weights clip=PATH" in message
    # What a window says, which takes no other file.
    assert message.startswith(caught.value.what)
    assert caught.value.what.startswith(first)
    assert "--weights" not in caught.value.what
    assert "\n" not in message
    assert not message.endswith(".")


def test_one_file_is_asked_for_where_a_sam_is_fusion_model_too(store, tmp_path):
    spec = SPECS["vit-b-16"].with_vfm("sam-b-16")
    own = tmp_path / "own.safetensors"
    own.write_bytes(b"x")
    with pytest.raises(WeightsNotFound, match=r"SAM ViT-B is not .* --weights sam=P"):
        locate_all(spec, {"clip": own})
    # The file that one of them has been given is no help to the other one.
    with pytest.raises(WeightsNotFound, match="--weights sam=PATH"):
        locate_all(spec, {"clip": own, "vfm": own})
    with pytest.raises(WeightsNotFound, match=r"weights\['sam'\]: there is no file"):
        locate_all(spec, {"clip": own, "sam": tmp_path / "none.pth"})
    found = locate_all(spec, {"clip": own, "sam": own})
    assert found["vfm"] == found["sam"] == own


def test_files_in_the_store_are_found(store):
    spec = SPECS["vit-b-16"]
    for part in spec.parts:
        (store / part.folder).mkdir(exist_ok=True)
        (store / part.folder / part.filename).write_bytes(b"x")
    assert locate_all(spec) == {
        part.role: store / part.folder / part.filename for part in spec.parts
    }


def test_a_given_file_comes_first(store, tmp_path):
    own = tmp_path / "own.pth"
    own.write_bytes(b"x")
    assert locate(SPECS["vit-b-16"].sam, own) == own
    with pytest.raises(WeightsNotFound, match=r"no file .*none\.pth; give the path"):
        locate(SPECS["vit-b-16"].sam, tmp_path / "none.pth")


def test_an_unknown_part_is_refused(store):
    with pytest.raises(ValueError, match="no part 'dino'"):
        locate_all(SPECS["demo"], {"dino": "x"})


def test_built_in_weights_are_in_the_package():
    assert SPECS["demo"].built_in
    assert all(path.is_file() for path in locate_all(SPECS["demo"]).values())


def test_sha256(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    assert sha256(file) == hashlib.sha256(b"abc").hexdigest()


def test_specifications_by_name():
    assert find_spec("vit-l-14").name == "vit-l-14"
    assert isinstance(find_spec(SPECS["demo"]), ModelSpec)
    with pytest.raises(ValueError, match="choose one of demo, fast, balanced, best, v"):
        find_spec("vit-b-32")


def test_a_specification_completes_what_is_left_to_it():
    spec = SPECS["demo"]
    settings = spec.complete(Settings(window=64, cls_weight=0.5))
    assert settings.window == 64
    assert settings.cls_weight == 0.5
    assert settings.short_side == spec.short_side
    assert settings.stride == spec.stride
    assert settings.smoothing_threshold == spec.smoothing_threshold
    real = SPECS["vit-b-16"].complete(Settings())
    assert (real.short_side, real.window, real.stride) == (448, 336, 112)
    assert (real.smoothing_threshold, real.cls_weight) == (0.4, 0.3)
