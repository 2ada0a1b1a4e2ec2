import dataclasses
import json

import pytest

from napari_s2clip import ClassSet, Settings
from napari_s2clip.batch import Job
from napari_s2clip.classes import ClassEntry
from napari_s2clip.tiles import Tiling

JOB = Job(
    ClassSet([ClassEntry("cat", ("kitten",), "#102030", 7)], ["sky"]),
    Settings(coarse_threshold=0.25),
    model="fast",
    sam="sam-h",
    weights={"clip": "x.pt"},
    tiling=Tiling(512, 64),
    channels=(0, 2),
    contrast_limits=(1.0, 9.0),
    pictures=False,
)


def test_a_job_is_plain_data():
    data = json.loads(json.dumps(JOB.to_dict()))
    again = Job.from_dict(data)
    assert again == JOB
    assert again.fingerprint == JOB.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ClassSet(["dog"])},
        {"settings": Settings()},
        {"model": "best"},
        {"weights": {}},
        {"tiling": Tiling()},
        {"channels": ()},
        {"contrast_limits": None},
        {"precision": "fp16"},
    ],
)
def test_the_fingerprint_follows_what_decides_the_result(change):
    assert dataclasses.replace(JOB, **change).fingerprint != JOB.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"device": "cuda"},
        {"pictures": True},
        {"keep_features": True},
        {"classes": ClassSet([ClassEntry("cat", ("kitten",), "#ffffff", 7)], ["sky"])},
    ],
)
def test_the_fingerprint_leaves_out_what_does_not(change):
    assert dataclasses.replace(JOB, **change).fingerprint == JOB.fingerprint


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channels": (0, 1, 2, 3)}, "^channels: "),
        ({"channels": (-1,)}, "^channels: "),
        ({"contrast_limits": (2.0, 1.0)}, "^contrast_limits: "),
    ],
)
def test_wrong_values_are_named(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(JOB, **change)
    data = JOB.to_dict()
    del data["tiling"]
    with pytest.raises(ValueError, match="tiling: is missing"):
        Job.from_dict(data)
