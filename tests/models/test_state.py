"""Weight files that are damaged, hostile, or something else."""

import io
import json
import os
import pickle
import tarfile
import warnings
import zipfile
from argparse import Namespace
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save

from napari_s2clip.demo.architectures import build_dino
from napari_s2clip.models.cards import ModelCard
from napari_s2clip.models.load import load_models
from napari_s2clip.models.specs import SPECS
from napari_s2clip.models.state import WRAPPERS, WeightFile

STATE = {"a": torch.arange(200, dtype=torch.float16), "b": torch.tensor([3])}
NOISE = np.random.default_rng(0).bytes(300)
PNG = b"\x89PNG\r\n\x1a\n" + NOISE
PART = ModelCard(
    "clip", "a-clip", "A CLIP", "x", "it.safetensors", url="https://example.org/clip"
)


def torch_bytes(value, *, old=False):
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not old)
    return stream.getvalue()


def read(path):
    return WeightFile(path, PART).read()


def refusal(path):
    with pytest.raises(ValueError, match="is no weight file") as caught:
        read(path)
    # Neither the text nor a traceback tells anybody to let the file run code.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    message = str(caught.value)
    assert message.startswith(f"weights['clip']: {path.name} is no weight file")
    assert "weights_only" not in message
    assert "\n" not in message
    return message


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"x", PNG, NOISE])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, suffix, content):
    assert refusal(written(tmp_path / f"own{suffix}", content)) == (
        f"weights['clip']: own{suffix} is no weight file; give safetensors or a "
        "PyTorch file of tensors"
    )


def archive(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as whole:
        for name, content in files.items():
            whole.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty one"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        (b"\x08\x07\x12\x07pytorch\x1a\x031.13", "an ONNX model"),
        (b"GGUF\x03\0\0\0", "a GGUF model"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x1f\x8b\x08\0", "a compressed file"),
        (pickle.dumps([1]), "a pickle of something else"),
        (archive(a="1", b__c="2"), "an archive of other files"),
        (b"PK\x03\x04" + NOISE, "a damaged archive"),
    ],
)
def test_known_kinds_are_named(tmp_path, content, kind):
    path = written(tmp_path / "own.pth", content)
    assert f"is no weight file but {kind}" in refusal(path)


def test_any_bytes_are_refused(tmp_path):
    numbers = np.random.default_rng(1)
    starts = torch_bytes(STATE)[:40], torch_bytes(STATE, old=True)[:40], b"\x09" + b"\0"
    for number in range(300):  # some stop a reader with an IndexError, others elsewhere
        noise = starts[number % 3] * (number % 2) + numbers.bytes(100)
        refusal(written(tmp_path / "own.pth", noise))


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
        {"model": {"state_dict": STATE}},
        {"a": torch.zeros(2, 2).to_sparse()},
        {"a": torch.zeros(2, device="meta")},
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_what_holds_no_tensors_by_name_is_refused(tmp_path, value, old):
    message = refusal(written(tmp_path / "own.pth", torch_bytes(value, old=old)))
    assert "holds no tensors by name" in message


@pytest.mark.parametrize("missing", [3, 50, 400])
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_a_truncated_copy_is_refused(tmp_path, kind, missing):
    safe = kind == "safetensors"
    whole = save(STATE) if safe else torch_bytes(STATE, old=kind == "old")
    refusal(written(tmp_path / "own", whole[:-missing]))


@pytest.mark.parametrize("suffix", [".pth", ".SafeTensors", ""])
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_the_content_tells_the_format(tmp_path, kind, suffix):
    safe = kind == "safetensors"
    path = tmp_path / f"ein Gewicht – 重み{suffix}"
    path.write_bytes(save(STATE) if safe else torch_bytes(STATE, old=kind == "old"))
    assert WeightFile(path, PART).mapped == (kind != "old")
    found = read(path)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("old", [False, True])
def test_a_pickle_that_is_named_safetensors_is_to_be_renamed(tmp_path, old):
    path = written(tmp_path / "own.safetensors", torch_bytes(STATE, old=old))
    assert refusal(path).endswith("one of PyTorch by its content; rename it to .pth")


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_state_dict_is_taken_out(tmp_path, wrapper):
    whole = {wrapper: OrderedDict(STATE), "epoch": 3, "optimizer": {"state": {}}}
    assert read(written(tmp_path / "own.pt", torch_bytes(whole))).keys() == STATE.keys()


def test_of_several_models_none_is_chosen(tmp_path):
    path = written(tmp_path / "own.pt", torch_bytes({"model": STATE, "teacher": STATE}))
    with pytest.raises(ValueError, match=r"own\.pt holds several models \(model, teac"):
        read(path)
    # What is no model beside one, such as a description, makes no two of it.
    whole = {"state_dict": STATE, "model": {"name": "vit_b"}, "student": STATE}
    assert read(written(tmp_path / "own.pt", torch_bytes(whole))).keys() == STATE.keys()


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("kind", ["pickle", "zip", "old", "tar"])
def test_a_hostile_pickle_is_refused_and_does_nothing(tmp_path, kind, beside):
    mark = tmp_path / "mark"
    value = STATE | {"c": Attack(str(mark))} if beside else Attack(str(mark))
    pickled = pickle.dumps(value, protocol=2)
    if kind == "tar":  # laid out as PyTorch before 0.2 did
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as whole:
            for name in ("sys_info", "pickle", "storages", "tensors"):
                entry = tarfile.TarInfo(name)
                entry.size = len(pickled)
                whole.addfile(entry, io.BytesIO(pickled))
        content = stream.getvalue()
    elif kind == "pickle":
        content = pickled
    else:
        content = torch_bytes(value, old=kind == "old")
    path = written(tmp_path / "own.pth", content)
    message = refusal(path)
    if kind in {"zip", "old"}:
        assert f"holds {os.mkdir.__module__}.mkdir, which could run code" in message
        assert message.endswith(
            "save its tensors alone: torch.save(model.state_dict(), PATH)"
        )
    assert not mark.exists()


def test_a_tar_archive_that_begins_as_a_file_of_pytorch_is_not_unpacked(tmp_path):
    entry = tarfile.TarInfo("x")
    header = bytearray(entry.tobuf())
    start = torch_bytes(STATE, old=True)[:15]
    header[: len(start)] = start
    header[148:156] = b"        "
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    path = written(tmp_path / "own.pth", bytes(header) + bytes(1024))
    assert tarfile.is_tarfile(path)
    assert "a pickle of something else" in refusal(path)  # before any reader sees it


@pytest.fixture
def torchscript(tmp_path, monkeypatch):
    """An archive, and what is run of it."""
    path, run = tmp_path / "ViT-B-16.pt", []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch has newer formats
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: run.append(1))
    return path, run


def test_a_torchscript_archive_is_not_run(torchscript):
    path, run = torchscript
    assert refusal(path) == (
        "weights['clip']: ViT-B-16.pt is no weight file but a TorchScript archive, "
        "which is a program; take it.safetensors of https://example.org/clip"
    )
    assert not run


def test_nor_is_one_whose_list_of_contents_hides_it(torchscript, monkeypatch):
    path, run = torchscript
    monkeypatch.setattr(WeightFile, "_check_archive", lambda _: None)
    refusal(path)
    assert not run  # PyTorch before 2.6 would


@pytest.mark.parametrize("value", [Namespace(lr=1), torch.nn.Linear(2, 2)])
def test_other_objects_beside_the_tensors_are_named(tmp_path, value):
    whole = {"teacher": STATE, "more": value}
    kind = type(value)
    message = refusal(written(tmp_path / "own.pth", torch_bytes(whole)))
    assert f"holds {kind.__module__}.{kind.__name__}, which could run" in message


def test_a_compressed_archive_is_not_unpacked(tmp_path):
    stored = zipfile.ZipFile(io.BytesIO(torch_bytes({"a": torch.zeros(2_000_000)})))
    path = tmp_path / "own.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as squeezed:
        for entry in stored.infolist():
            squeezed.writestr(entry.filename, stored.read(entry))
    assert path.stat().st_size < 50_000
    assert "a compressed archive" in refusal(path)


def test_a_pickle_that_claims_more_numbers_than_there_are_is_refused(tmp_path):
    content = torch_bytes({"a": torch.zeros(2000)})
    # 2000 and 3000 as the pickle's two-byte numbers: the storage's length, the shape.
    lying = content.replace(b"M\xd0\x07", b"M\xb8\x0b")
    assert lying.count(b"M\xb8\x0b") >= 2
    entry = "archive/data.pkl"
    with zipfile.ZipFile(io.BytesIO(content)) as stored:
        crc = stored.getinfo(entry).CRC.to_bytes(4, "little")
        pickled = stored.read(entry).replace(b"M\xd0\x07", b"M\xb8\x0b")
    new = zipfile.crc32(pickled).to_bytes(4, "little")
    refusal(written(tmp_path / "own.pth", lying.replace(crc, new)))


def header_of(entries, data=b"\0" * 16, length=None):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    size = len(text) if length is None else length
    return size.to_bytes(8, "little") + text + data


def tensor_at(start, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "content",
    [
        header_of({"a": tensor_at(0, 8), "b": tensor_at(4, 12)}, b"\0" * 12),
        header_of({"a": tensor_at(0, 8), "b": tensor_at(0, 8)}, b"\0" * 8),
        header_of({"a": tensor_at(0, 8), "b": tensor_at(12, 20)}, b"\0" * 20),
        header_of({"a": tensor_at(8, 0)}),
        header_of({"a": tensor_at(0, 16)}),
        header_of({"a": tensor_at(0, 8)}),
        header_of({"a": tensor_at(0, 2**62, (2**60,))}),
        header_of({"a": tensor_at(0, 2**66, (2**64,))}),
        header_of({"a": tensor_at(0, 0, (2**40, 2**40))}, b""),
        header_of({"a": tensor_at(0, 16, (-4,))}),
        header_of({"a": tensor_at(0, 16, (2,), "F99")}),
        header_of({"a": tensor_at(0, 16, (4,))}, length=2**60),
        header_of({"a": tensor_at(0, 16, (4,))}, length=9),
        header_of(b"{" * 1000),
        header_of({}, b""),
    ],
)
def test_safetensors_that_lie_are_refused(tmp_path, content):
    refusal(written(tmp_path / "own.safetensors", content))


def test_of_a_name_that_comes_twice_no_tensor_is_out_of_place(tmp_path):
    both = f'{{"a":{json.dumps(tensor_at(0, 8))},"a":{json.dumps(tensor_at(8, 16))}}}'
    refusal(written(tmp_path / "own.safetensors", header_of(both.encode())))


def test_what_the_system_refuses_is_said_as_it_says_it(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.pth")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(OSError, match=r"folder\.pth"):
        read(tmp_path / "folder.pth")
    circle = tmp_path / "circle.pth"
    try:
        circle.symlink_to(circle)
    except OSError:
        pytest.skip("no symbolic links here")
    with pytest.raises(OSError, match=r"circle\.pth"):
        read(circle)


def test_a_file_without_permission_is_named(tmp_path):
    path = written(tmp_path / "own.pth", torch_bytes(STATE))
    path.chmod(0)
    try:
        with path.open("rb"):
            pytest.skip("this user may read everything")
    except PermissionError:
        pass
    with pytest.raises(PermissionError, match=r"own\.pth"):
        read(path)


@pytest.mark.parametrize("role", ["clip", "vfm", "sam"])
def test_the_part_is_named(tmp_path, role):
    path = written(tmp_path / "own.pth", PNG)
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
