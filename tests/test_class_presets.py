import pytest

from napari_s2clip.class_presets import CLASS_PRESETS

COUNTS = {
    "voc21": 20,
    "voc20": 20,
    "context60": 59,
    "context59": 59,
    "object": 80,
    "stuff": 171,
    "cityscapes": 19,
    "ade": 150,
}


def test_there_are_the_eight_benchmarks():
    assert list(CLASS_PRESETS) == list(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_each_has_the_classes_of_its_dataset(name):
    preset = CLASS_PRESETS[name]
    classes = preset.classes
    assert len(classes) == COUNTS[name]
    assert bool(classes.background) == (name in {"voc21", "context60", "object"})
    assert preset.source


def test_ids_are_those_of_the_datasets():
    voc, ade = CLASS_PRESETS["voc20"].classes, CLASS_PRESETS["ade"].classes
    assert voc.id_of("person") == 15
    assert voc.id_of("tv monitor") == 20
    assert CLASS_PRESETS["cityscapes"].classes.id_of("car") == 14
    assert [ade.id_of(n) for n in ("person", "car", "flag")] == [13, 21, 150]
    stuff = CLASS_PRESETS["stuff"].classes
    assert [stuff.id_of(n) for n in ("person", "toothbrush", "wood")] == [1, 80, 171]
