from napari_s2clip.demo.vocabulary import (
    COLOURS,
    OBJECTS,
    SEEN_OBJECTS,
    SHAPES,
    TEXTURES,
    UNSEEN_OBJECTS,
    VOCABULARY,
)


def test_every_word_of_an_unseen_pair_is_seen_in_other_pairs():
    assert len(UNSEEN_OBJECTS) == 8
    assert {o.split()[0] for o in UNSEEN_OBJECTS} == set(COLOURS)
    assert {o.split()[1] for o in UNSEEN_OBJECTS} == set(SHAPES)
    assert {w for o in SEEN_OBJECTS for w in o.split()} == {*COLOURS, *SHAPES}


def test_seen_and_unseen_pairs_make_all_pairs():
    assert set(SEEN_OBJECTS) | set(UNSEEN_OBJECTS) == set(OBJECTS)
    assert not set(SEEN_OBJECTS) & set(UNSEEN_OBJECTS)
    assert len(VOCABULARY) == len(set(VOCABULARY)) == 64 + len(TEXTURES)
