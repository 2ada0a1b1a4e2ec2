"""Presets made from a file of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_s2clip.models.find import find_spec
from napari_s2clip.models.own import catalogue, own_file
from napari_s2clip.models.own_presets import forget_model, preset_with_file
from napari_s2clip.models.specs import SPECS


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NAPARI_S2CLIP_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "Vit_B lm.PTH"
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize("role", ["clip", "vfm", "sam"])
def test_one_part_is_replaced(weights, role):
    spec = preset_with_file(SPECS["balanced"], role, weights)
    assert spec == find_spec("balanced-vit_b-lm")
    assert spec.title == "Balanced with Vit_B lm.PTH"
    card = getattr(spec, role)
    assert (card.name, card.path) == ("vit_b-lm", weights)
    for other in {"clip", "vfm", "sam"} - {role}:
        assert getattr(spec, other) == getattr(SPECS["balanced"], other)
    assert card.architecture == getattr(SPECS["balanced"], role).architecture


def test_what_is_there_is_not_added_again(weights, tmp_path):
    first = preset_with_file(SPECS["fast"], "sam", weights)
    before = own_file().read_text()
    assert preset_with_file(SPECS["fast"], "sam", weights) == first
    assert own_file().read_text() == before
    # The same file for another preset is the same model.
    assert preset_with_file(SPECS["balanced"], "sam", weights).sam == first.sam
    # Another file of this name, and a part of a preset of one's own.
    other = tmp_path / "other" / weights.name
    other.parent.mkdir()
    other.write_bytes(b"y")
    assert preset_with_file(first, "vfm", other).vfm.name == "vit_b-lm-2"
    assert len(catalogue().own) == 5


def test_what_cannot_be_replaced(weights, tmp_path):
    with pytest.raises(ValueError, match="sam: Demo SAM is built in"):
        preset_with_file(SPECS["demo"], "sam", weights)
    with pytest.raises(ValueError, match="file: there is no file"):
        preset_with_file(SPECS["fast"], "sam", tmp_path / "gone.pth")
    assert not own_file().exists()


def test_forgetting_takes_the_presets_along_and_nothing_else(weights, tmp_path):
    own_file().parent.mkdir()
    own_file().write_text(
        '# mine\n[[preset]]\nname = "a"\nclip = "clip-b-16"\nvfm = "dino-s-8"\n'
        'sam = "sam-l"\n'
    )
    preset_with_file(SPECS["fast"], "sam", weights)
    preset_with_file(SPECS["best"], "sam", weights)
    forget_model("vit_b-lm")
    # That of another architecture is another model.
    assert catalogue().own == {"a", "vit_b-lm-2", "best-vit_b-lm-2"}
    assert own_file().read_text().startswith("# mine\n[[preset]]")
    assert weights.exists()
    with pytest.raises(ValueError, match="no model 'sam-b' of your own"):
        forget_model("sam-b")
