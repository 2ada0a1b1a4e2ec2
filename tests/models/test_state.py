"""Weight files that are damaged, or something else."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save

from napari_s2clip.demo.architectures import build_dino
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS
from napari_s2clip.models.state import read_state

STATE = {"a": torch.arange(200, dtype=torch.float16), "b": torch.tensor([3])}
NOISE = np.random.default_rng(0).bytes(300)
PNG = b"\x89PNG\r\n\x1a\n" + NOISE


def torch_bytes(value, path, *, old=False):
    torch.save(value, path, _use_new_zipfile_serialization=not old)
    return path.read_bytes()


def refusal(path, role="clip"):
    with pytest.raises(ValueError, match="is no weight file") as caught:
        read_state(path, role)
    # Neither the text nor a traceback tells anybody to let the file run code.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"x", PNG, NOISE, b"\x80\x05]q\x00."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, suffix, content):
    path = tmp_path / f"own{suffix}"
    path.write_bytes(content)
    assert refusal(path) == (
        f"weights['clip']: own{suffix} is no weight file; give safetensors or a "
        "PyTorch file of tensors"
    )


def test_any_bytes_are_refused(tmp_path):
    path = tmp_path / "own.pth"
    numbers = np.random.default_rng(1)
    for _ in range(200):  # some stop the reader with an IndexError, others elsewhere
        path.write_bytes(numbers.bytes(100))
        refusal(path)


@pytest.mark.parametrize(
    "value",
    [
        [torch.zeros(2)],
        {},
        {"a": 1},
        {"a": torch.zeros(2), "epoch": 3},
        {1: torch.zeros(2)},
        {"state_dict": 3},
        {"state_dict": {}},
    ],
)
def test_what_holds_no_tensors_by_name_is_refused(tmp_path, value):
    path = tmp_path / "own.pth"
    torch.save(value, path)
    refusal(path)


def test_a_whole_module_is_refused(tmp_path):
    path = tmp_path / "own.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    assert "weights_only" not in refusal(path)
    path.write_bytes(pickle.dumps([1]))
    refusal(path)


@pytest.mark.parametrize("missing", [3, 50, 400])
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_a_truncated_copy_is_refused(tmp_path, kind, missing):
    path = tmp_path / ("own.safetensors" if kind == "safetensors" else "own.pth")
    if kind == "safetensors":
        whole = save(STATE)
    else:
        whole = torch_bytes(STATE, path, old=kind == "old")
    path.write_bytes(whole[:-missing])
    refusal(path)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_state_dict_is_read_wrapped_or_not(tmp_path, wrapped):
    path = tmp_path / "own.pth"
    torch.save({"state_dict": STATE, "epoch": 3} if wrapped else STATE, path)
    found = read_state(path, "clip")
    assert found.keys() == STATE.keys()
    assert found["a"].dtype == torch.float32
    assert found["b"].dtype == torch.int64
    assert torch.equal(found["a"], STATE["a"].float())


def test_what_the_system_refuses_is_said_as_it_says_it(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / "none.pth", "clip")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(OSError, match=r"folder\.pth"):
        read_state(tmp_path / "folder.pth", "clip")


@pytest.mark.parametrize("role", ["clip", "vfm", "sam"])
def test_the_part_is_named(tmp_path, role):
    path = tmp_path / "own.pth"
    path.write_bytes(PNG)
    with pytest.raises(ValueError, match=rf"weights\['{role}'\]: own\.pth is no weig"):
        load_models(SPECS["demo"], torch.device("cpu"), {role: path})


def test_a_checkpoint_of_a_training_program_is_loaded(tmp_path):
    path = tmp_path / "own.pth"
    torch.manual_seed(9)
    model = build_dino()
    torch.save({"state_dict": model.state_dict()}, path)
    models = load_models(SPECS["demo"], torch.device("cpu"), {"vfm": path})
    loaded = models.vfm.model.state_dict()
    assert torch.equal(loaded["pos_embed"], model.state_dict()["pos_embed"])
