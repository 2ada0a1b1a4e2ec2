import pytest
import torch
from safetensors.torch import save_file

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS
from napari_s2clip.progress import Progress, Reporter

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
