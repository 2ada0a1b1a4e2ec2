import pytest
import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES

from napari_s2clip.text import TextEncoder, phrase_vectors


class Letters:
    """A text tower that counts letters; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def encode_text(self, texts):
        self.asked.append(list(texts))
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        return torch.tensor([[float(t.count(c)) for c in alphabet] for t in texts])


def test_vectors_are_the_normalised_mean_of_normalised_templates():
    vectors = phrase_vectors(Letters(), ["cat", "dog"])
    texts = [t("dog") for t in OPENAI_IMAGENET_TEMPLATES]
    expected = F.normalize(
        F.normalize(Letters().encode_text(texts), dim=-1).mean(0), dim=-1
    )
    assert torch.allclose(vectors[1], expected, atol=1e-6)
    assert len(texts) == 80
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(2))


def test_batches_do_not_change_the_vectors():
    many = [f"word {c}" for c in "abcdefghijk"]
    together = phrase_vectors(Letters(), many)
    alone = torch.cat([phrase_vectors(Letters(), [p]) for p in many])
    assert torch.allclose(together, alone, atol=1e-6)


def test_a_new_class_costs_one_phrase():
    tower = Letters()
    encode = TextEncoder(lambda: tower)
    first = encode(["cat", "dog"])
    tower.asked.clear()
    second = encode(["dog", "bird", "cat"])
    assert sum(map(len, tower.asked)) == 80
    assert torch.equal(second[[2, 0]], first)
    tower.asked.clear()
    encode(["cat", "bird"])
    assert tower.asked == []


def test_a_cleared_memory_asks_again():
    tower = Letters()
    encode = TextEncoder(lambda: tower)
    first = encode(["cat"])
    encode.clear()
    tower.asked.clear()
    assert torch.equal(encode(["cat"]), first)
    assert sum(map(len, tower.asked)) == 80


def test_the_memory_is_bounded():
    encode = TextEncoder(Letters, keep=2)
    phrases = ["one", "two", "three", "four"]
    expected = phrase_vectors(Letters(), phrases)
    assert torch.allclose(encode(phrases), expected, atol=1e-6)
    assert len(encode._known) == 2
    assert torch.allclose(encode(phrases), expected, atol=1e-6)


@pytest.mark.parametrize("phrase", ["", "ünïcode 漢字", "a" * 500])
def test_the_real_tokenizer_takes_any_text(phrase):
    from napari_s2clip import S2CLIP

    model = S2CLIP.load("demo", weights="random", device="cpu")
    vectors = phrase_vectors(model.models.clip, [phrase])
    assert torch.isfinite(vectors).all()
