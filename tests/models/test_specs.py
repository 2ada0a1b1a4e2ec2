from pathlib import Path

import pytest
import timm

from napari_s2clip.models.find import find_spec
from napari_s2clip.models.specs import SAMS, SPECS, VFMS


@pytest.mark.parametrize("name", VFMS)
def test_a_specification_takes_another_fusion_model(name):
    spec = SPECS["vit-b-16"].with_vfm(name)
    assert spec.vfm == VFMS[name]
    assert spec.vfm.role == "vfm"
    assert VFMS[name].title in spec.description
    assert (spec.name, spec.clip, spec.sam) == (
        "vit-b-16",
        SPECS["vit-b-16"].clip,
        SPECS["vit-b-16"].sam,
    )


def test_its_own_fusion_model_changes_nothing():
    assert SPECS["vit-l-14"].with_vfm("dino-b-8") is SPECS["vit-l-14"]
    assert SPECS["vit-l-14"].vfm is VFMS["dino-b-8"]


def test_what_suits_the_own_fusion_model_does_not_stay():
    assert SPECS["demo"].proxy_gamma == 40
    assert SPECS["demo"].with_vfm("dino-s-16").proxy_gamma == 3


def test_an_unknown_fusion_model_is_refused():
    with pytest.raises(ValueError, match="no fusion model 'dino'; choose one of d"):
        find_spec("vit-b-16").with_vfm("dino")


@pytest.mark.parametrize("name", [name for name in VFMS if name != "sam-b-16"])
def test_the_files_are_those_that_timm_publishes(name):
    part = VFMS[name]
    published = timm.get_pretrained_cfg(part.architecture)
    assert part.source == f"https://huggingface.co/{published.hf_hub_id}"
    assert part.folder == f"timm--{part.architecture}"
    # What the loader normalises the pixels with.
    assert published.mean == (0.485, 0.456, 0.406)
    assert published.std == (0.229, 0.224, 0.225)


def test_sam_as_fusion_model_is_the_file_of_the_sam_that_refines():
    assert VFMS["sam-b-16"].same_model(SPECS["vit-b-16"].sam)
    assert not VFMS["dino-b-8"].same_model(SPECS["vit-b-16"].sam)


def test_the_documentation_lists_the_names_and_files():
    docs = Path(__file__).parents[2] / "docs" / "models.md"
    text = docs.read_text(encoding="utf-8")
    for name, part in VFMS.items():
        assert f"| `{name}` | {part.title} | " in text
        assert f"`{part.architecture}`" in text
    for name, spec in SPECS.items():
        assert f"| `{name}` | " in text
        for part in (spec.clip, spec.sam):
            assert part.built_in or f"`{part.folder}/{part.filename}`" in text


@pytest.mark.parametrize("name", SAMS)
def test_a_specification_takes_another_sam(name):
    spec = SPECS["vit-b-16"].with_sam(name)
    assert spec.sam == SAMS[name]
    assert spec.sam.role == "sam"
    assert SAMS[name].title in spec.description
    assert (spec.clip, spec.vfm) == (SPECS["vit-b-16"].clip, SPECS["vit-b-16"].vfm)
    assert (spec is SPECS["vit-b-16"]) == (name == "sam-b")


@pytest.mark.parametrize("name", SAMS)
def test_segment_anything_builds_each(name):
    from segment_anything import sam_model_registry

    assert SAMS[name].architecture in sam_model_registry
    assert SAMS[name].source.endswith(SAMS[name].filename)


def test_an_unknown_sam_is_refused():
    with pytest.raises(ValueError, match="no SAM 'sam-x'; choose one of sam-b, sam-l"):
        SPECS["demo"].with_sam("sam-x")
