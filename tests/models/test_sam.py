import copy

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor
from segment_anything.utils.transforms import ResizeLongestSide

from napari_s2clip.demo.architectures import build_sam
from napari_s2clip.models import sam as module
from napari_s2clip.models.sam import SamModel
from napari_s2clip.models.sam_prompts import Frame


@pytest.fixture(scope="module")
def sam() -> SamModel:
    torch.manual_seed(0)
    return SamModel(build_sam(), torch.device("cpu"))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)


BOXES = np.array([[10, 20, 60, 70], [0, 0, 130, 90], [50, 5, 120, 44.5]])
POINTS = np.array([[[30, 40]], [[5, 80]], [[77.5, 20.5]]])


def test_equal_to_the_predictor_of_segment_anything(sam, image):
    torch.manual_seed(0)
    predictor = SamPredictor(build_sam().eval())
    predictor.set_image(image)
    embedding = sam.encode(image)
    assert torch.allclose(embedding.features, predictor.features, atol=1e-5)
    logits, iou = sam.decode(embedding, boxes=BOXES, points=POINTS)
    full = sam.resizer(embedding).full(logits)
    for index in range(len(BOXES)):
        masks, scores, low = predictor.predict(
            POINTS[index],
            np.ones(1),
            BOXES[index],
            multimask_output=False,
            return_logits=True,
        )
        np.testing.assert_allclose(logits[index], low[0], atol=1e-4)
        np.testing.assert_allclose(full[index], masks[0], atol=1e-4)
        assert iou[index].item() == pytest.approx(float(scores[0]), abs=1e-5)


@pytest.mark.parametrize("kind", ["boxes", "points", "both", "negative"])
def test_a_batch_equals_one_at_a_time(sam, image, kind):
    embedding = sam.encode(image)
    prompts = {}
    if kind in ("boxes", "both"):
        prompts["boxes"] = BOXES
    if kind in ("points", "both", "negative"):
        prompts["points"] = POINTS
    if kind == "negative":
        prompts["point_labels"] = np.zeros((3, 1), int)
    logits, iou = sam.decode(embedding, **prompts)
    for index in range(3):
        one = {k: v[index : index + 1] for k, v in prompts.items()}
        alone, score = sam.decode(embedding, **one)
        assert torch.allclose(logits[index], alone[0], atol=1e-4)
        assert torch.allclose(iou[index], score[0], atol=1e-5)


@pytest.mark.parametrize("masks", [None, "logits", "embedded"])
def test_alike_a_prompt_does_not_depend_on_the_others(sam, image, monkeypatch, masks):
    embedding = sam.encode(image)
    boxes, points = BOXES[[0, 1, 2, 1, 0, 2, 2]], POINTS[[2, 1, 0, 0, 1, 2, 0]]
    side = sam.sam.prompt_encoder.mask_input_size
    logits = torch.randn(7, 1, *side)
    dense = torch.randn(7, 64, 32, 32)
    real, sizes = sam.sam.mask_decoder.forward, []

    def counted(**given):
        sizes.append(len(given["dense_prompt_embeddings"]))
        return real(**given)

    monkeypatch.setattr(sam.sam.mask_decoder, "forward", counted)

    def decode(rows):
        given = {
            None: None,
            "logits": logits[rows],
            "embedded": lambda part: dense[rows][part],
        }
        return sam.decode(
            embedding,
            boxes=boxes[rows],
            points=points[rows],
            mask_inputs=given[masks],
            alike=True,
        )

    whole = decode(list(range(7)))
    for rows in ([3], [6, 0], [5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1, 0]):
        for some, of_all in zip(decode(rows), whole, strict=True):
            assert torch.equal(some, of_all[rows])
    assert set(sizes) == {4}


def test_mask_prompts_change_the_result(sam, image):
    embedding = sam.encode(image)
    side = sam.sam.prompt_encoder.mask_input_size
    plain, _ = sam.decode(embedding, boxes=BOXES)
    mask = 10 * torch.randn(3, 1, *side)
    masked, _ = sam.decode(embedding, boxes=BOXES, mask_inputs=mask)
    assert not torch.allclose(plain, masked)


OUT_OF_MEMORY = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "mps", "cpu"])
def test_out_of_memory_halves_the_call(sam, image, monkeypatch, caplog, error):
    embedding = sam.encode(image)
    expected, _ = sam.decode(embedding, boxes=np.repeat(BOXES, 3, 0))
    real = sam.sam.mask_decoder.forward
    sizes = []

    def scarce(*args, **kwargs):
        count = len(kwargs["sparse_prompt_embeddings"])
        sizes.append(count)
        if count > 2:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(sam.sam.mask_decoder, "forward", scarce)
    steps = []
    logits, _ = sam.decode(
        embedding,
        boxes=np.repeat(BOXES, 3, 0),
        on_chunk=lambda done, total: steps.append((done, total)),
    )
    assert sizes == [9, 4, 2, 2, 2, 2, 1]
    assert torch.allclose(logits, expected, atol=1e-4)
    assert steps[-1] == (9, 9)
    assert "memory ran out" in caplog.text


def test_alike_out_of_memory_halves_the_call_for_good(sam, image, monkeypatch):
    embedding = sam.encode(image)
    expected, _ = sam.decode(embedding, boxes=np.repeat(BOXES, 3, 0))
    real = sam.sam.mask_decoder.forward
    sizes = []

    def scarce(*args, **kwargs):
        sizes.append(len(kwargs["sparse_prompt_embeddings"]))
        if sizes[-1] > 2:
            raise OUT_OF_MEMORY[0]
        return real(*args, **kwargs)

    monkeypatch.setattr(sam.sam.mask_decoder, "forward", scarce)
    logits, _ = sam.decode(embedding, boxes=np.repeat(BOXES, 3, 0), alike=True)
    assert sizes == [4, 2, 2, 2, 2, 2]
    assert torch.allclose(logits, expected, atol=1e-4)


def test_out_of_memory_for_one_prompt_is_an_error(sam, image, monkeypatch):
    embedding = sam.encode(image)

    def never(*args, **kwargs):
        raise torch.cuda.OutOfMemoryError("no memory")

    monkeypatch.setattr(sam.sam.mask_decoder, "forward", never)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="does not suffice for one"):
        sam.decode(embedding, boxes=BOXES)


def test_what_does_not_fit_on_the_device_is_decoded_on_the_cpu(
    sam, image, monkeypatch, caplog
):
    embedding = sam.encode(image)
    expected, scores = sam.decode(embedding, boxes=BOXES, points=POINTS)
    # A device of another kind whose memory is full; there is none in a test.
    other = copy.copy(sam)
    other.__dict__.pop("_positions", None)
    other.device = torch.device("cpu", 0)
    monkeypatch.setattr(module, "_is_cpu", lambda device: device.index is None)
    monkeypatch.setattr(module, "in_chunks", full_on(other.device))
    steps = []
    logits, iou = other.decode(
        embedding,
        boxes=BOXES,
        points=POINTS,
        on_chunk=lambda done, total: steps.append((done, total)),
    )
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(iou, scores)
    assert steps == [(0, 3), (3, 3)]
    assert "SAM decodes on the CPU" in caplog.text


def test_masks_are_enlarged_where_they_lie(sam, image):
    embedding = sam.encode(image)
    logits, _ = sam.decode(embedding, boxes=BOXES)
    # The embedding is on a device whose memory ran out, the logits are not.
    elsewhere = embedding.on(torch.device("meta"))
    found = sam.resizer(elsewhere, logits.device).full(logits)
    assert torch.equal(found, sam.resizer(embedding).full(logits))


def full_on(device):
    def in_chunks(run, total, chunk, where, what, on_chunk):
        if where == device:
            raise torch.cuda.OutOfMemoryError("full")
        return real(run, total, chunk, where, what, on_chunk)

    real = module.in_chunks
    return in_chunks


@pytest.mark.parametrize(
    ("free", "expected"),
    [(0, 1), (10**5, 1), (2 * 10 * 12 * 4 * 32 * 32 * 64, 10), (10**12, 64)],
)
def test_as_many_prompts_as_half_of_the_memory_holds(sam, monkeypatch, free, expected):
    monkeypatch.setattr(module, "free_memory", lambda device: free)
    assert sam.prompts_at_once() == expected


def test_a_cpu_decodes_what_its_cache_holds(sam, monkeypatch):
    assert sam.prompts_at_once() == 64
    # 262 kB for each of the demo SAM's embeddings.
    monkeypatch.setattr(module, "CACHE", 5 * 4 * 32 * 32 * 64 + 1)
    assert sam.prompts_at_once() == 5
    monkeypatch.setattr(module, "CACHE", 1)
    assert sam.prompts_at_once() == 1
    monkeypatch.setattr(module, "_is_cpu", lambda device: False)
    assert sam.prompts_at_once() == 64


def test_each_prompt_is_encoded_once(sam, image, monkeypatch):
    embedding = sam.encode(image)
    seen = []
    encoder = sam.sam.prompt_encoder
    real = encoder._embed_boxes
    monkeypatch.setattr(
        encoder, "_embed_boxes", lambda boxes: seen.append(len(boxes)) or real(boxes)
    )
    sam.decode(embedding, boxes=BOXES, chunk=1)
    assert seen == [3]


def test_the_model_that_was_given_keeps_its_encoder():
    library = build_sam()
    encoder = library.image_encoder
    sam = SamModel(library, torch.device("cpu"))
    assert library.image_encoder is encoder
    assert sam.sam.image_encoder is not encoder
    assert sam.sam.mask_decoder is library.mask_decoder


def test_other_errors_are_not_swallowed(sam, image, monkeypatch):
    embedding = sam.encode(image)

    def broken(*args, **kwargs):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(sam.sam.mask_decoder, "forward", broken)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        sam.decode(embedding, boxes=BOXES)


@pytest.mark.parametrize("size", [(1, 1), (1, 4096), (4096, 1), (300, 7)], ids=str)
def test_any_image_size(sam, size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    embedding = sam.encode(picture)
    logits, _ = sam.decode(embedding, boxes=np.array([[0, 0, size[1], size[0]]]))
    assert sam.resizer(embedding).full(logits).shape == (1, *size)


def test_no_prompts_give_no_masks(sam, image):
    embedding = sam.encode(image)
    logits, iou = sam.decode(embedding, boxes=np.zeros((0, 4)))
    assert len(logits) == len(iou) == 0


def test_prompts_that_do_not_fit_are_refused(sam, image):
    embedding = sam.encode(image)
    with pytest.raises(ValueError, match="give at least one"):
        sam.decode(embedding)
    with pytest.raises(ValueError, match="all for the same prompts"):
        sam.decode(embedding, boxes=BOXES, points=POINTS[:2])
    with pytest.raises(ValueError, match=r"boxes has the shape \(3, 3\)"):
        sam.decode(embedding, boxes=BOXES[:, :3])
    with pytest.raises(ValueError, match=r"points has the shape \(3, 2\)"):
        sam.decode(embedding, points=POINTS[:, 0])
    with pytest.raises(ValueError, match="point_labels has the shape"):
        sam.decode(embedding, points=POINTS, point_labels=np.ones(3, int))
    with pytest.raises(ValueError, match="point_labels has the shape"):
        sam.decode(embedding, boxes=BOXES, point_labels=np.ones((3, 1), int))
    with pytest.raises(ValueError, match="chunk is 0"):
        sam.decode(embedding, boxes=BOXES, chunk=0)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
    ],
    ids=["float", "gray", "rgba"],
)
def test_images_that_are_not_rgb_are_refused(sam, bad):
    with pytest.raises(ValueError, match=r"give uint8 \(H, W, 3\)"):
        sam.encode(bad)


def test_empty_images_are_refused(sam):
    with pytest.raises(ValueError, match="image is empty"):
        sam.encode(np.zeros((0, 4, 3), np.uint8))


def test_an_embedding_prints_its_sizes_alone(sam, image):
    text = repr(sam.encode(image))
    assert text.startswith("SamEmbedding(image_size=(")
    assert "tensor" not in text


def test_computes_in_float32(image):
    torch.manual_seed(0)
    half = SamModel(build_sam().half(), torch.device("cpu"))
    embedding = half.encode(image)
    logits, iou = half.decode(embedding, boxes=BOXES)
    assert embedding.features.dtype == logits.dtype == iou.dtype == torch.float32


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_chunks_do_not_change_the_result(sam, image, chunk):
    embedding = sam.encode(image)
    expected, scores = sam.decode(embedding, boxes=BOXES)
    logits, iou = sam.decode(embedding, boxes=BOXES, chunk=chunk)
    assert torch.allclose(logits, expected, atol=1e-4)
    assert torch.allclose(iou, scores, atol=1e-5)


@pytest.mark.parametrize("size", [(90, 130), (130, 90), (256, 256), (7, 513)], ids=str)
def test_coordinates_scale_as_in_segment_anything(sam, size):
    height, width = size
    embedding = sam.encode(np.zeros((*size, 3), np.uint8))
    transform = ResizeLongestSide(256)
    points = np.array([[[0.0, 0.0]], [[width, height]], [[width / 3, 0.7 * height]]])
    expected = transform.apply_coords(points, size)
    frame = Frame(embedding.image_size, embedding.input_size, torch.device("cpu"))
    found = frame.to_input(points).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert embedding.input_size == transform.get_preprocess_shape(*size, 256)
