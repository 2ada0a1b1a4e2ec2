import pytest
import torch
import torch.nn.functional as F

from napari_s2clip.models import attention_cpu
from napari_s2clip.models.attention_cpu import BlockedAttention, blocked_attention


def vectors(*shape: int, dtype: torch.dtype = torch.bfloat16) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [2 * torch.randn(shape, dtype=dtype) for _ in range(3)]


@pytest.mark.parametrize("count", [1, 5, 512, 600])
def test_it_is_attention(count):
    q, k, v = vectors(2, 3, count, 16, dtype=torch.float32)
    theirs = F.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(blocked_attention(q, k, v), theirs, atol=1e-5)
    low = blocked_attention(q.bfloat16(), k.bfloat16(), v.bfloat16()).float()
    assert torch.cosine_similarity(low, theirs, dim=-1).min() >= 0.99


@pytest.fixture
def calls(monkeypatch):
    found = []

    def spy(q, k, v):
        found.append(q.shape)
        return blocked_attention(q, k, v)

    monkeypatch.setattr(attention_cpu, "blocked_attention", spy)
    return found


def test_plain_attention_in_bf16_is_taken_over(calls):
    q, k, v = vectors(2, 3, 7, 16)
    F.scaled_dot_product_attention(q, k, v)
    assert not calls
    with BlockedAttention(), torch.inference_mode():
        F.scaled_dot_product_attention(q, k, v)
        F.scaled_dot_product_attention(
            q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False
        )
    assert len(calls) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"attn_mask": torch.ones(7, 7, dtype=torch.bool).tril()},
        {"is_causal": True},
        {"scale": 0.5},
    ],
    ids=lambda options: next(iter(options)),
)
def test_any_other_attention_is_left_to_pytorch(calls, options):
    q, k, v = vectors(2, 3, 7, 16)
    theirs = F.scaled_dot_product_attention(q, k, v, **options)
    with BlockedAttention():
        assert torch.equal(F.scaled_dot_product_attention(q, k, v, **options), theirs)
        F.scaled_dot_product_attention(q.float(), k.float(), v.float())
        F.scaled_dot_product_attention(q[:, :, :2], k, v)
    assert not calls
