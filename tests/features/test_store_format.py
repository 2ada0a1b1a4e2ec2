"""Features to arrays and plain data, and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_s2clip.features import store_format
from napari_s2clip.features.encode import ImageFeatures
from napari_s2clip.features.store import FeatureStore
from napari_s2clip.features.store_format import pack, pack_sam, unpack, unpack_sam
from napari_s2clip.features.windows import WindowPlan
from napari_s2clip.image import RGBImage
from napari_s2clip.models.sam import SamEmbedding
from napari_s2clip.settings import Settings

KEY = "0" * 40


def make(cls=ImageFeatures, **more):
    generator = torch.Generator().manual_seed(0)
    return cls(
        image=np.zeros((30, 40, 3), np.uint8),
        notes=("a note",),
        dense=torch.randn((2, 3, 4, 5), generator=generator),
        plan=WindowPlan((30, 40), (48, 64), (48, 48), ((0, 0), (0, 16))),
        settings=Settings(levels=(1, 2), window=64, stride=32),
        model={"clip": {"title": "CLIP", "sha256": "1"}, "vfm": {"title": "DINO"}},
        **more,
    )


def stored(arrays, meta, folder):
    """What a store gives back."""
    store = FeatureStore(folder)
    store.put(KEY, arrays, json.loads(json.dumps(meta)))
    return store.get(KEY)


def assert_same(one: Tensor, two: Tensor) -> None:
    assert one.dtype == two.dtype
    assert one.stride() == two.stride()
    assert torch.equal(one, two)


def test_features_come_back_bit_for_bit(tmp_path):
    features = make()
    image = RGBImage(features.image, ("another note",))
    found = unpack(*stored(*pack(features), tmp_path), image)
    assert_same(found.dense, features.dense)
    assert found.image is image.pixels
    assert found.notes == ("another note",)
    for name in ("plan", "settings", "model"):
        assert getattr(found, name) == getattr(features, name)
    assert isinstance(found.plan.corners[0], tuple)
    assert found.sam is None


@dataclass
class Wider(ImageFeatures):
    """Features with more fields than there are today."""

    extras: dict[str, Tensor] = field(default_factory=dict)
    weight: Tensor | None = None


@pytest.mark.parametrize("weight", [None, torch.arange(3)])
@pytest.mark.parametrize(
    "extras",
    [
        {},
        {"a/b": torch.arange(6).reshape(2, 3), "ü": torch.tensor(True)},
        {"half": torch.ones(2, 0, dtype=torch.float16)},
    ],
)
def test_every_tensor_field_is_kept(tmp_path, monkeypatch, extras, weight):
    monkeypatch.setattr(store_format, "ImageFeatures", Wider)
    features = make(Wider, extras=extras, weight=weight)
    arrays, meta = stored(*pack(features), tmp_path)
    found = unpack(arrays, meta, RGBImage(features.image))
    assert list(found.extras) == list(extras)
    for name, tensor in extras.items():
        assert_same(found.extras[name], tensor)
    assert (found.weight is None) == (weight is None)
    assert weight is None or torch.equal(found.weight, weight)


def test_no_field_is_lost_in_silence():
    @dataclass
    class Odd(ImageFeatures):
        more: list[int] = field(default_factory=list)

    with pytest.raises(ValueError, match=r"features\.more is a list; only tensors"):
        pack(make(Odd))


def test_the_order_of_the_axes_in_memory_is_kept(tmp_path):
    features = make()
    features.dense = torch.randn(2, 5, 3, 4).permute(0, 2, 3, 1)
    arrays, meta = stored(*pack(features), tmp_path)
    found = unpack(arrays, meta, RGBImage(features.image))
    assert not features.dense.is_contiguous()
    assert_same(found.dense, features.dense)


def test_tensors_share_the_memory_of_the_file(tmp_path):
    features = make()
    arrays, meta = stored(*pack(features), tmp_path)
    found = unpack(arrays, meta, RGBImage(features.image))
    assert found.dense.data_ptr() == arrays["dense"].ctypes.data
    found.dense.zero_()  # does not reach the file
    again = unpack(*FeatureStore(tmp_path).get(KEY), RGBImage(features.image))
    assert_same(again.dense, features.dense)


def test_inference_tensors_can_be_packed():
    with torch.inference_mode():
        features = make()
    arrays, _ = pack(features)
    np.testing.assert_array_equal(arrays["dense"], features.dense.numpy())


def test_sam_comes_back_bit_for_bit(tmp_path):
    values = torch.randn(1, 4, 4, 8).permute(0, 3, 1, 2)
    embedding = SamEmbedding(values, (30, 40), (48, 64))
    found = unpack_sam(*stored(*pack_sam(embedding), tmp_path))
    assert_same(found.features, values)
    assert found.image_size == (30, 40)
    assert found.input_size == (48, 64)


def test_an_embedding_keeps_all_that_it_has():
    # Another field would have to be kept too.
    names = {f.name for f in fields(SamEmbedding)}
    assert names == {"features", "image_size", "input_size"}


def test_another_image_is_refused():
    arrays, meta = pack(make())
    with pytest.raises(ValueError, match="give the image that was encoded"):
        unpack(arrays, meta, RGBImage(np.zeros((40, 30, 3), np.uint8)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays, meta: arrays.clear(),
        lambda arrays, meta: meta.clear(),
        lambda arrays, meta: meta.pop("tensors"),
        lambda arrays, meta: meta["tensors"].pop("dense"),
        lambda arrays, meta: meta["tensors"].update(dense=[0]),
        lambda arrays, meta: meta["tensors"].update(unknown=[0, 1, 2, 3]),
        lambda arrays, meta: meta["plan"].update(size=[1, 2, 3]),
        lambda arrays, meta: meta["settings"].update(window="wide"),
        lambda arrays, meta: meta.update(model=3),
    ],
)
def test_other_entries_are_refused(spoil):
    features = make()
    arrays, meta = pack(features)
    spoil(arrays, meta)
    with pytest.raises(ValueError, match=r"meta|plan|settings|unpack|window"):
        unpack(arrays, meta, RGBImage(features.image))
    with pytest.raises(ValueError, match="meta does not describe an embedding"):
        unpack_sam(arrays, meta)
