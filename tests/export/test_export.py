"""A student and its text encoder as files: what other runtimes compute from them is what torch computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tokenizers import Tokenizer

from tests.tiny import (
    CAPTIONS,
    LITE_STUDENT,
    STUDENT,
    locked_teacher,
    photo,
    pixels_of,
    siglip_teacher,
    student,
    teacher,
)
from zeroseg import efficientnet_lite
from zeroseg.encoding import ImageEncoder, StudentEncoder
from zeroseg.export.making import image_network, text_network
from zeroseg.export.onnx_graphs import with_half_weights
from zeroseg.export.quantising import kept_in_float
from zeroseg.export.tokenizer import as_file
from zeroseg.export.tracing import Network
from zeroseg.export.writing import write
from zeroseg.exported import ExportedEncoder, ExportedText, read
from zeroseg.exported.networks import Network as InFile
from zeroseg.exported.networks import open_network
from zeroseg.method_names import Precision, Runtime
from zeroseg.precision import unrounded
from zeroseg.segmenter import Segmenter
from zeroseg.student import StudentConfig
from zeroseg.teacher import Teacher

SIZES = [(1, 32, 32), (3, 40, 24), (1, 8, 8), (2, 96, 16)]  # one picture and more; the size of training, the smallest
LABELS = ["dog", "grass", "cat"]


def regions_of(encoder: ImageEncoder, pixels: torch.Tensor) -> list[torch.Tensor]:
    """All tensors of some pictures."""
    with unrounded(), torch.inference_mode():
        found = encoder.encode(pixels, [(9, 9)] * len(pixels))
    parts = [(one.image, one.segments, one.masks, one.patches, one.mean) for one in found]
    return [part for of_picture in parts for part in of_picture if part is not None]


@pytest.mark.parametrize(("count", "height", "width"), SIZES)
def test_regions_are_those_of_torch_at_any_size(
    segmenter: Segmenter, folder: Path, count: int, height: int, width: int
):
    """Sizes and batches are free: positions are interpolated, and assignments decided, as in torch."""
    pixels = pixels_of(height, width, count)
    found = regions_of(ExportedEncoder(folder, read(folder)), pixels)
    expected = regions_of(segmenter.encoder, pixels)
    assert len(found) == len(expected) == 5 * count
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def written(network: Network, folder: Path, runtime: Runtime = "onnx", precision: Precision = "fp32") -> InFile:
    """A network after it was written to a file."""
    write(network, folder / "network", runtime, precision, None)
    return open_network(next(path for path in folder.iterdir() if path.suffix != ".bin"), runtime)


@pytest.mark.parametrize("config", [LITE_STUDENT, STUDENT], ids=["convolutions", "groupvit"])
def test_every_kind_of_student_is_followed(config: StudentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """EfficientNet pads as a side is odd or even, which a convolution of ONNX does itself: a copy of its input would
    cost time. A student of the paper has no patch head."""
    once = tuple((1, *stage[1:]) for stage in efficientnet_lite.STAGES)  # of each stage one block: a fourth of the time
    monkeypatch.setattr(efficientnet_lite, "STAGES", once)
    model = student(config)
    network = written(image_network(model, teacher()), tmp_path)
    patch = config.patch_size
    for count, rows, columns in ((2, 3, 5), (1, 4, 4), (1, 1, 2)):
        pixels = pixels_of(patch * rows, patch * columns, count)
        with unrounded(), torch.inference_mode():
            expected = image_network(model, teacher()).module(pixels)
        found = network.run(pixels=pixels.numpy())
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value.numpy(), atol=2e-3, rtol=2e-3, err_msg=name)
    assert "Pad" not in {node.op_type for node in onnx.load(tmp_path / "network.onnx").graph.node}


def test_texts_are_those_of_the_teacher(segmenter: Segmenter, folder: Path):
    """Of any number and length: the encoder cuts and pads as the teacher does."""
    text = ExportedText(folder, read(folder))
    for texts in (CAPTIONS, ["dog"], ["a red dog " * 30, "", "été 雪山"]):
        assert text.token_ids(texts) == segmenter.teacher.token_ids(texts)
        torch.testing.assert_close(text.embed_texts(texts), segmenter.teacher.embed_texts(texts), atol=1e-5, rtol=1e-4)
    assert (text.text_fingerprint, text.logit_scale) == (
        segmenter.teacher.text_fingerprint,
        segmenter.teacher.logit_scale,
    )
    torch.testing.assert_close(text.mean, segmenter.teacher.mean)


@pytest.mark.parametrize("by", [locked_teacher(), siglip_teacher()], ids=["LiT", "SigLIP 2"])
def test_text_towers_of_all_families_are_followed(by: Teacher, tmp_path: Path):
    """A SigLIP reads lower case, and texts of one length; the file of its tokenizer does both alone."""
    texts = ["A Photo of a DOG", "cat " * 40]
    alone = Tokenizer.from_str(as_file(by, by.text_encoder(pretrained=True).tokenizer))
    ids = [found.ids for found in alone.encode_batch(texts)]
    assert ids == by.token_ids(texts)
    found = written(text_network(student(), by), tmp_path).run(tokens=np.array(ids))
    np.testing.assert_allclose(found["embeddings"], by.embed_texts(texts).numpy(), atol=1e-5)


def test_masks_are_those_of_torch(segmenter: Segmenter, folder: Path):
    """The whole way of a picture and its words, loaded like any other model."""
    loaded = Segmenter.from_pretrained(folder)
    for seed in range(3):
        picture = photo(50, 40, seed)
        with unrounded():
            expected = segmenter(picture, LABELS)
        assert np.mean(loaded(picture, LABELS).class_map == expected.class_map) > 0.999


def test_the_naming_network_serves_any_vocabulary(segmenter: Segmenter, folder: Path):
    """Words are an input; so is the mean that a read-out takes out of regions."""
    network = open_network(folder / "naming.onnx", "onnx")
    encoded = segmenter.encode(photo())
    for labels in (LABELS, ["cat"]):
        words = segmenter.words(labels, ["a photo of a {}"])
        for keep_mean in (True, False):
            regions = torch.cat([encoded.regions("patches"), encoded.image[None]]).numpy()
            mean = torch.zeros(len(encoded.mean)) if keep_mean else encoded.mean
            found = network.run(regions=regions, words=words.numpy(), mean=mean.numpy())["similarities"]
            expected = encoded.similarities(words, replace(segmenter.read_out, keep_mean=keep_mean))
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)


@pytest.mark.parametrize(("runtime", "precision"), [("openvino", "fp16"), ("torch", "fp32"), ("torch", "fp16")])
def test_other_runtimes_and_halves(segmenter: Segmenter, tmp_path: Path, runtime: Runtime, precision: Precision):
    """One file of weights serves as many sizes in each of them; weights as halves change little, and save half."""
    assert isinstance(segmenter.encoder, StudentEncoder)
    network = written(image_network(segmenter.encoder.student, teacher()), tmp_path, runtime, precision)
    for count, height, width in SIZES:
        pixels = pixels_of(height, width, count)
        outputs = network.run(pixels=pixels.numpy())
        ours = [outputs[name][0] for name in ("image", "segments", "masks", "patches")]
        for one, other in zip(ours, regions_of(segmenter.encoder, pixels)[:4], strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-4 if precision == "fp32" else 0.05, rtol=1e-2)


def test_halves_take_half_of_the_disk(segmenter: Segmenter, folder: Path, tmp_path: Path):
    """Also as ONNX, where a runtime converts them when it loads them."""
    model = onnx.load(folder / "image.onnx")
    whole = len(model.SerializeToString())
    halved = with_half_weights(model)
    assert len(halved.SerializeToString()) < 0.8 * whole  # names and operations take a part of such a tiny network
    onnx.save(halved, tmp_path / "network.onnx")
    found = open_network(tmp_path / "network.onnx", "onnx").run(pixels=pixels_of(24, 40).numpy())
    expected = regions_of(segmenter.encoder, pixels_of(24, 40))
    np.testing.assert_allclose(found["patches"][0], expected[3].numpy(), atol=0.05)


def test_int8_multiplies_whole_numbers_where_there_are_weights(segmenter: Segmenter, tmp_path: Path):
    """Products of two computed matrices stay in float32, as the first convolutions do; patches change little."""
    assert isinstance(segmenter.encoder, StudentEncoder)
    seen = [pixels_of(24, 40), pixels_of(32, 32)]
    write(image_network(segmenter.encoder.student, teacher()), tmp_path / "network", "onnx", "int8", seen)
    nodes = onnx.load(tmp_path / "network.onnx").graph.node
    made = {name: node.op_type for node in nodes for name in node.output}
    products = [[made.get(name) for name in node.input[:2]] for node in nodes if node.op_type in ("MatMul", "Gemm")]
    whole = [inputs for inputs in products if "DequantizeLinear" in inputs]
    assert 0 < len(whole) < len(products)
    assert all(inputs == ["DequantizeLinear"] * 2 for inputs in whole)
    assert not any("DequantizeLinear" in map(made.get, node.input) for node in nodes if node.op_type == "Conv")
    found = open_network(tmp_path / "network.onnx", "onnx").run(pixels=seen[0].numpy())["patches"][0]
    assert np.corrcoef(found.ravel(), regions_of(segmenter.encoder, seen[0])[3].numpy().ravel())[0, 1] > 0.98


def test_int8_leaves_the_first_convolutions_and_depthwise_ones_in_float():
    """Of fifteen convolutions the first twelve and the one of many groups; of two products that without a weight."""
    convolutions = [
        onnx.helper.make_node("Conv", [f"x{n}", "weight"], [f"x{n + 1}"], f"conv {n:02}", group=8 if n == 13 else 1)
        for n in range(15)
    ]
    products = [
        onnx.helper.make_node("MatMul", ["x15", other], [f"by {other}"], f"product by {other}")
        for other in ("weight", "x14")
    ]
    weight = onnx.numpy_helper.from_array(np.zeros(1, np.float32), "weight")
    graph = onnx.helper.make_graph([*convolutions, *products], "graph", [], [], [weight])
    kept = kept_in_float(onnx.helper.make_model(graph))
    assert kept == [*(f"conv {n:02}" for n in range(12)), "conv 13", "product by x14"]
