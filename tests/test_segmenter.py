"""The segmenter: any picture comes out at its own size, networks run once, background follows its rule."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import CLIPImageProcessorPil

from tests.tiny import MEAN, PATCH_STUDENT, STD, STUDENT, clip, photo, student, teacher, tokenizer
from zeroseg.components import components
from zeroseg.encoding import KEPT, Encoded, Size, StudentEncoder
from zeroseg.errors import ImageError, VocabularyError, WeightsError
from zeroseg.known_words import KnownWords
from zeroseg.rules import BackgroundRule, Margin, NoBackground, Product, Sigmoid, Softmax
from zeroseg.segmenter import MOST_UNKNOWN, REFINED_SIDE, Segmenter, working_size
from zeroseg.student import Student, StudentConfig
from zeroseg.student.config import Naming, ReadOut
from zeroseg.teacher import ClipTeacher, Teacher
from zeroseg.vocabulary import UnknownWordsWarning, Vocabulary, make_vocabulary

SEGMENTS, PATCHES = ReadOut("segments", NoBackground()), ReadOut("patches", NoBackground())
LABELS = ["dog", "grass", "house"]


def segmenter(read_out: ReadOut, config: StudentConfig = PATCH_STUDENT) -> Segmenter:
    return Segmenter(StudentEncoder(student(config)), teacher(), read_out)


class Counted(StudentEncoder):
    """Counts how often a picture goes through."""

    calls = 0

    def encode(self, pixels: torch.Tensor, sizes: Sequence[Size]) -> list[Encoded]:
        self.calls += 1
        return super().encode(pixels, sizes)


# --- sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_out", [SEGMENTS, PATCHES], ids=["segments", "patches"])
@pytest.mark.parametrize("size", [(1, 1), (7, 50), (50, 7), (33, 31), (200, 150), (1000, 2), (3, 600)])
def test_class_map_has_the_pictures_own_size(read_out: ReadOut, size: tuple[int, int]):
    result = segmenter(read_out)(photo(*size), LABELS)
    assert result.size == size
    assert result.class_map.shape == (size[1], size[0])
    assert result.labels == tuple(LABELS)
    assert not result.has_background


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    side=st.integers(1, 448),
    multiple=st.sampled_from([1, 8, 14, 16]),
)
def test_working_size_is_in_multiples_and_keeps_proportions(height: int, width: int, side: int, multiple: int):
    h, w = working_size(height, width, side, multiple)
    assert h % multiple == w % multiple == 0
    assert min(h, w) >= multiple
    assert abs(min(h, w) - max(side, multiple)) <= multiple / 2 or min(h, w) == multiple
    assert (h >= w) if height > width else (w >= h)
    aspect = min(6.0, max(height, width) / min(height, width))
    assert abs(max(h, w) - side * aspect) <= multiple / 2 + 1e-6 or max(h, w) == multiple


def test_rotated_file_is_segmented_upright(tmp_path: Path):
    """A portrait photo is often stored as a landscape with a note in its EXIF block."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(60, 40).save(tmp_path / "photo.png", exif=exif)
    assert segmenter(PATCHES)(tmp_path / "photo.png", LABELS).size == (40, 60)


def test_mirrored_picture_does_not_give_a_transposed_map():
    """Left is left and up is up: a network that names each patch by its colour finds the corners."""

    class Corners:
        shorter_side, multiple = 32, 8

        def encode(self, pixels: torch.Tensor, sizes: Sequence[Size]) -> list[Encoded]:
            h, w = pixels.shape[2] // 8, pixels.shape[3] // 8
            cells = pixels.unflatten(2, (h, 8)).unflatten(4, (w, 8)).mean(dim=(3, 5))[0]  # 3 h w
            words = teacher().embed_texts(["dog", "grass"])
            patches = torch.where(cells[0].flatten()[:, None] > 0.5, words[0], words[1])
            mean = torch.zeros_like(patches[0])
            return [Encoded(patches[0], patches, None, None, mean, (h, w), size) for size in sizes]

    picture = Image.new("RGB", (96, 48), "black")
    picture.paste("red", (0, 0, 24, 24))  # top left
    vocabulary = Vocabulary(("dog", "grass"), templates=("{}",))
    result = Segmenter(Corners(), teacher(), PATCHES)(picture, vocabulary)
    assert [int(result.class_map[y, x]) for y, x in ((2, 2), (2, 93), (45, 2), (45, 93))] == [0, 1, 1, 1]
    assert result.mask("dog").sum() == pytest.approx(24 * 24, rel=0.4)


# --- refinement --------------------------------------------------------------------------------------


def drawing() -> Image.Image:
    """A dark square on a light ground whose edges lie between the cells of a grid of 8 pixels."""
    picture = Image.new("RGB", (96, 64), (230, 230, 220))
    picture.paste((40, 60, 120), (20, 20, 44, 44))
    return picture


class Blurred:
    """A network that knows how much of each cell is dark: patches in proportion, and two segments with such masks."""

    shorter_side, multiple = 64, 8

    def encode(self, pixels: torch.Tensor, sizes: Sequence[Size]) -> list[Encoded]:
        h, w = pixels.shape[2] // 8, pixels.shape[3] // 8
        dark = (pixels[:, 0] < 0.5).float().unflatten(1, (h, 8)).unflatten(3, (w, 8)).mean(dim=(2, 4))[0]
        dog, grass = torch.nn.functional.normalize(teacher().embed_texts(["dog", "grass"]), dim=-1)
        share = dark.flatten()[:, None]
        patches, masks = share * dog + (1 - share) * grass, torch.stack([dark, 1 - dark])
        segments, mean = torch.stack([dog, grass]), torch.zeros_like(dog)
        return [Encoded(dog, patches, segments, masks, mean, (h, w), size) for size in sizes]


@pytest.mark.parametrize("naming", ["patches", "segments"])
@pytest.mark.parametrize("scale", [1, 3, 8])
def test_refined_masks_follow_the_pictures_edges(naming: Naming, scale: int):
    picture = drawing().resize((96 * scale, 64 * scale), Image.Resampling.NEAREST)
    truth = np.asarray(picture)[:, :, 0] < 128
    ours = Segmenter(Blurred(), teacher(), ReadOut(naming, NoBackground()))
    vocabulary = Vocabulary(("grass", "dog"), templates=("{}",))

    def iou(iterations: int) -> float:
        found = ours.reading(refinement=iterations)(picture, vocabulary).mask("dog")
        assert found.shape == truth.shape
        return float((found & truth).sum() / (found | truth).sum())

    assert iou(10) > max(0.93, iou(0) + 0.05)


def test_regions_are_refined_with_the_masks():
    """What the masks' own quality is measured on is what is drawn."""
    ours = Segmenter(Blurred(), teacher(), ReadOut("segments", NoBackground(), refinement=10))
    encoded = ours.encode(drawing())
    drawn = ours.name(encoded, Vocabulary(("dog", "grass"), templates=("{}",))).class_map
    np.testing.assert_array_equal(ours.region_map(encoded), drawn)


def test_refinement_leaves_no_specks():
    """Only what is refined has any: without refinement the map stays as it is, whatever the read-out says."""
    noise = np.random.default_rng(0).integers(0, 90, (64, 96, 3))
    picture = Image.fromarray((np.asarray(drawing()) // 2 + noise).astype(np.uint8))
    ours = Segmenter(Blurred(), teacher(), ReadOut("patches", NoBackground(), refinement=10))
    vocabulary = Vocabulary(("grass", "dog"), templates=("{}",))
    cleaned, encoded = ours.reading(smallest_region=0.005), ours.encode(picture)

    def smallest(class_map: np.ndarray) -> int:
        return int(np.bincount(components(class_map).ravel()).min())

    assert smallest(ours.name(encoded, vocabulary).class_map) < 5
    found = cleaned.name(encoded, vocabulary)
    assert smallest(found.class_map) >= 0.005 * 96 * 64
    labels = np.asarray(encoded.regions("patches") @ ours.embed(vocabulary)[0].T).argmax(axis=1)
    assert smallest(cleaned.paint(encoded, labels, 2)) >= 0.005 * 96 * 64
    plain = ours.reading(refinement=0)
    same = plain.reading(smallest_region=0.4).name(encoded, vocabulary).class_map
    np.testing.assert_array_equal(same, plain.name(encoded, vocabulary).class_map)


@pytest.mark.parametrize("size", [(1, 1), (7, 50), (1000, 2), (3, 600), (700, 900)])
def test_refinement_takes_any_size(size: tuple[int, int]):
    result = segmenter(replace(PATCHES, refinement=2))(photo(*size), LABELS)
    assert result.class_map.shape == (size[1], size[0])


def test_refinement_goes_by_a_small_copy_of_a_large_picture():
    """A student may read pictures at 448 pixels; refinement would cost more than it there."""
    ours = Segmenter(StudentEncoder(student(replace(PATCH_STUDENT, inference_size=448))), teacher(), PATCHES)
    pixels = ours.encode(photo(60, 40)).pixels
    assert pixels is not None
    assert pixels.shape == (3, REFINED_SIDE, 336)


# --- how often networks run -------------------------------------------------------------------------


@pytest.mark.parametrize("read_out", [SEGMENTS, PATCHES, ReadOut("segments", Product()), ReadOut("patches", Margin())])
def test_picture_encoded_once_gives_the_same_as_separate_calls(read_out: ReadOut):
    encoder = Counted(student(PATCH_STUDENT))
    ours = Segmenter(encoder, teacher(), read_out)
    vocabularies = [make_vocabulary(labels) for labels in ("dog, cat", "grass", "house, sky, dog, tree")]
    encoded = ours.encode(photo(50, 40))
    once = [ours.name(encoded, vocabulary) for vocabulary in vocabularies]
    assert encoder.calls == 1
    for vocabulary, result in zip(vocabularies, once, strict=True):
        separate = segmenter(read_out)(photo(50, 40), vocabulary)
        np.testing.assert_array_equal(result.class_map, separate.class_map)
        np.testing.assert_allclose(result.scores, separate.scores, atol=1e-6)


@pytest.mark.parametrize("naming", ["patches", "segments"])
def test_pictures_of_mixed_sizes_keep_their_order(naming: str):
    """Those of one working size go through the network together; each comes out as it does alone, in its place."""
    encoder = Counted(student(PATCH_STUDENT))
    ours = Segmenter(encoder, teacher(), PATCHES).reading(naming=naming)
    sizes = [(40, 30), (30, 40), (80, 60), (32, 32), (60, 80), (40, 30), (9, 9)]
    pictures = [photo(*size, seed=number) for number, size in enumerate(sizes)]
    found = ours.encode_batch(pictures)
    assert encoder.calls == 3  # landscape, portrait and square, at one shorter side
    assert [encoded.size for encoded in found] == [(height, width) for width, height in sizes]
    for picture, encoded in zip(pictures, found, strict=True):
        alone = ours.encode(picture)
        assert encoded.grid == alone.grid
        for part in ("image", "patches", "segments", "masks", "mean", "pixels"):
            torch.testing.assert_close(getattr(encoded, part), getattr(alone, part), atol=1e-5, rtol=1e-4)
        one, other = (ours.name(some, make_vocabulary(LABELS)) for some in (encoded, alone))
        assert float((one.class_map == other.class_map).mean()) > 0.99


def test_no_picture_at_all_is_an_empty_batch():
    assert segmenter(PATCHES).encode_batch([]) == []


def test_a_batch_names_the_first_picture_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(ImageError, match=r"missing\.jpg"):
        segmenter(PATCHES).encode_batch([photo(), tmp_path / "missing.jpg"])


def test_vocabulary_is_embedded_once(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    embed = Teacher.embed_texts
    monkeypatch.setattr(Teacher, "embed_texts", lambda self, texts: asked.append(len(texts)) or embed(self, texts))
    ours = segmenter(PATCHES)
    first = ours(photo(), "dog, cat")
    ours(photo(seed=1), ["dog", " cat "])
    assert len(asked) == 1
    ours(photo(), "cat, dog")
    assert len(asked) == 2
    for number in range(KEPT):
        ours(photo(), ["dog", f"thing {number}"])
    before = len(asked)
    again = ours(photo(), "dog, cat")  # long forgotten: embedded again, with the same result
    assert len(asked) == before + 1
    np.testing.assert_array_equal(again.class_map, first.class_map)


def test_word_embedding_is_the_mean_over_the_templates():
    vocabulary = Vocabulary(("dog", "cat"), background=("sky",), templates=("a photo of a {}", "{}"))
    words, class_ids = segmenter(PATCHES).embed(vocabulary)
    assert class_ids == [0, 1, -1]
    for word, ours in zip(("dog", "cat", "sky"), words, strict=True):
        one, other = teacher().embed_texts([f"a photo of a {word}"])[0], teacher().embed_texts([word])[0]
        torch.testing.assert_close(ours, (one + other) / 2, atol=1e-5, rtol=1e-4)


def test_words_for_the_background_are_the_models_unless_a_vocabulary_has_its_own():
    ours = segmenter(replace(PATCHES, background_words=("sky", "dog", "wall")))
    assert ours.embed(make_vocabulary("dog, cat"))[1] == [0, 1, -1, -1]  # the dog is asked for
    assert ours.embed(make_vocabulary("dog, cat", ("sea",)))[1] == [0, 1, -1]
    assert ours.embed(make_vocabulary("dog, cat", ()))[1] == [0, 1]
    assert ours.embed(make_vocabulary("dog, cat"), replace(PATCHES, background_words=("tree",)))[1] == [0, 1, -1]


def test_background_words_that_are_like_a_label_stand_down_and_make_it_stuff():
    """Of two background words the one that is nearer to a label stands down at a limit between the two cosines."""
    words = ["dog", "cat", "sky", "wall"]
    embedded = torch.nn.functional.normalize(segmenter(PATCHES).words(words, make_vocabulary("dog").templates), dim=-1)
    cosines = embedded @ embedded.T
    near = cosines[:2, 2:].amax(dim=0)
    first, second = near.argsort(descending=True).tolist()
    limit = float(near.mean())
    assert float(near[second]) < limit < float(near[first])
    ours = segmenter(replace(PATCHES, background_words=("sky", "wall"), background=Margin(5.0), alike=limit))
    vocabulary = make_vocabulary("dog, cat")
    left, class_ids = ours.embed(vocabulary)
    assert class_ids == [0, 1, -1]
    torch.testing.assert_close(left[2], ours.words([words[2 + second]], vocabulary.templates)[0])
    stuff = {word for word, cosine in zip(words, cosines[:2, 2 + first].tolist(), strict=False) if cosine > limit}
    always = ours.reading(background=NoBackground(200.0))  # lifts labels for stuff above all others
    assert set(always(photo(), vocabulary).present) <= stuff
    things = ours.reading(background=NoBackground(200.0), background_things=(words[2 + first],))
    plain = ours.reading(background=NoBackground())
    np.testing.assert_array_equal(things(photo(), vocabulary).class_map, plain(photo(), vocabulary).class_map)
    assert things.embed(vocabulary)[1] == [0, 1, -1]
    all_stay = ours.reading(alike=1.0)
    assert all_stay.embed(vocabulary)[1] == [0, 1, -1, -1]
    assert ours.reading(alike=-1.0).embed(vocabulary)[1] == [0, 1]


def test_a_label_that_is_a_background_word_for_a_thing_is_no_stuff():
    ours = segmenter(replace(PATCHES, background_words=("dog", "sky"), background_things=("Dog",)))
    lifted = ours.reading(background=NoBackground(200.0))
    assert lifted(photo(), "sky, dog").present == ("sky",)
    plain = ours.reading(background=NoBackground())
    np.testing.assert_array_equal(lifted(photo(), "cat, dog").class_map, plain(photo(), "cat, dog").class_map)


def test_lead_over_background_by_hand():
    """Of each region the best label's cosine, less the best background word's, times 100."""
    cells = teacher().embed_texts(["dog", "sky", "red"])
    ours = Segmenter(Cells(cells, cells[0]), teacher(), PATCHES)
    vocabulary = Vocabulary(("dog", "cat"), background=("sky", "grass"), templates=("{}",))
    leads = ours.lead_over_background(ours.encode(photo(3, 1)), vocabulary)
    cosines = 100 * (cells.double() @ teacher().embed_texts(["dog", "cat", "sky", "grass"]).double().T).numpy()
    np.testing.assert_allclose(leads, cosines[:, :2].max(axis=1) - cosines[:, 2:].max(axis=1), atol=1e-3)


# --- naming and background --------------------------------------------------------------------------


class Cells:
    """A network that gives one set of embeddings for every picture: rows of a 1 x n grid."""

    shorter_side, multiple = 32, 8

    def __init__(self, cells: torch.Tensor, image: torch.Tensor) -> None:
        self.cells, self.image = cells, image

    def encode(self, pixels: torch.Tensor, sizes: Sequence[Size]) -> list[Encoded]:
        del pixels
        masks = torch.eye(len(self.cells))[:, None, :]
        mean = torch.zeros_like(self.image)
        grid = (1, len(self.cells))
        return [Encoded(self.image, self.cells, self.cells, masks, mean, grid, size) for size in sizes]


def named(words: list[str], read_out: ReadOut, labels: str, background: tuple[str, ...] = ("sky",)) -> list[str]:
    """What becomes of a strip of cells that look exactly like `words`."""
    cells = teacher().embed_texts(words)
    vocabulary = Vocabulary(tuple(labels.split()), background=background, templates=("{}",))
    result = Segmenter(Cells(cells, cells.mean(dim=0)), teacher(), read_out)(photo(len(words), 1), vocabulary)
    return [result.labels[index] for index in result.class_map[0]]


@pytest.mark.parametrize("naming", ["segments", "patches"])
def test_without_background_every_pixel_gets_a_label(naming: Naming):
    assert named(["dog", "sky", "cat"], ReadOut(naming, NoBackground()), "dog cat")[::2] == ["dog", "cat"]
    assert "background" not in named(["sky", "sky", "sky"], ReadOut(naming, NoBackground()), "dog cat")


@pytest.mark.parametrize("naming", ["segments", "patches"])
def test_margin_sends_what_looks_like_a_background_word_to_the_background(naming: Naming):
    read_out = ReadOut(naming, Margin(0.5))
    assert named(["dog", "sky", "cat"], read_out, "dog cat") == ["dog", "background", "cat"]
    assert named(["dog", "sky", "cat"], read_out, "dog cat sky") == ["dog", "sky", "cat"]  # asked for
    everything = named(["dog", "sky", "cat"], replace(read_out, background=Margin(200.0)), "dog cat")
    assert everything == ["background"] * 3


def test_margin_without_background_words_is_a_plain_threshold():
    read_out = ReadOut("segments", Margin(99.0))
    assert named(["dog", "sky"], read_out, "dog cat", background=()) == ["dog", "background"]


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.95])
def test_product_score_keeps_the_sure_and_drops_the_unsure(threshold: float):
    """With two labels both softmaxes run over both: the score of the best is its probability squared."""
    words = ["dog", "sky", "cat", "house", "red", "grass"]
    cosines = (teacher().embed_texts(words) @ teacher().embed_texts(["dog", "cat"]).T).double().numpy()
    odds = np.exp(100 * (cosines[:, 0] - cosines[:, 1]))
    score = np.maximum(odds, 1 / odds) ** 2 / (1 + np.maximum(odds, 1 / odds)) ** 2
    expected = [
        ("dog" if o > 1 else "cat") if s > threshold else "background" for o, s in zip(odds, score, strict=True)
    ]
    assert score.max() > threshold + 0.01
    assert np.abs(score - threshold).min() > 1e-3  # no cell is at the brink
    read_out = ReadOut("segments", Product(threshold))
    assert named(words, read_out, "dog cat") == expected


def test_product_score_always_leaves_something_on_the_picture():
    """GroupViT's cap: whatever the threshold, the best segment keeps its name."""
    read_out = ReadOut("segments", Product(1.0))
    assert set(named(["sky", "grass", "red"], read_out, "dog cat bird tree car bus")) != {"background"}


def test_scores_are_mean_probabilities_of_the_regions_won():
    cells = teacher().embed_texts(["dog", "cat"])
    vocabulary = Vocabulary(("dog", "cat", "tree"), background=(), templates=("{}",))
    result = Segmenter(Cells(cells, cells[0]), teacher(), SEGMENTS)(photo(2, 1), vocabulary)
    words = teacher().embed_texts(["dog", "cat", "tree"])
    probability = (100 * cells @ words.T).softmax(dim=1)
    np.testing.assert_allclose(result.scores, [float(probability[0, 0]), float(probability[1, 1]), 0], atol=1e-5)


def test_mean_of_the_teacher_is_kept_or_taken_out():
    model = student(PATCH_STUDENT)
    model.target_mean.copy_(5 * teacher().embed_texts(["house"])[0])
    model.target_scale.fill_(0.2)
    ours = Segmenter(StudentEncoder(model), teacher(), PATCHES)
    encoded = ours.encode(photo())
    with torch.no_grad():
        raw = model(torch.rand(1, 3, 32, 32)).image  # the space of the targets
    inside = model.in_teacher_space(raw)
    torch.testing.assert_close(inside, raw * 0.2 + model.target_mean)
    with_mean = ours.name(encoded, make_vocabulary(LABELS, ()))
    assert with_mean.present == ("house",)  # the mean outweighs all else
    without = replace(PATCHES, keep_mean=False)
    parts = ("image", "patches", "segments", "mean")
    shifted = replace(encoded, **{part: getattr(encoded, part) - encoded.mean for part in parts})
    expected = ours.name(shifted, make_vocabulary(LABELS, ()), replace(without, keep_mean=True))
    result = ours.name(encoded, make_vocabulary(LABELS, ()), without)
    np.testing.assert_array_equal(result.class_map, expected.class_map)


def test_background_among_the_labels_is_no_label():
    result = segmenter(ReadOut("patches", Margin()))(photo(), "background, dog")
    assert result.labels == ("background", "dog")


def test_background_as_a_label_of_a_ready_vocabulary():
    """A line of labels may name it; who builds a vocabulary is told in a clear sentence."""
    with pytest.raises(VocabularyError, match='"background" is what no label fits: leave it out of the labels'):
        Vocabulary(("background", "dog"))


def test_two_thousand_labels():
    result = segmenter(ReadOut("patches", Margin()))(photo(), Vocabulary(
        tuple(f"w{number}" for number in range(2000)), background=("sky",), templates=("{}",)
    ))  # fmt: skip
    assert len(result.labels) == 2001
    assert result.fractions.sum() == pytest.approx(1)


@pytest.mark.parametrize("naming", ["patches", "segments"])
@pytest.mark.parametrize("refinement", [0, 3])
def test_regions_are_painted_with_the_labels_they_are_given(naming: Naming, refinement: int):
    """One label for all fills the picture; a label of its own for each gives the map of the regions."""
    ours = segmenter(SEGMENTS if naming == "segments" else PATCHES).reading(
        background=NoBackground(), refinement=refinement
    )
    encoded = ours.encode(photo(48, 48))
    regions = len(encoded.regions(ours.read_out.naming))
    painted = ours.paint(encoded, np.zeros(regions, int), 3)
    assert painted.shape == (48, 48)
    assert (painted == 0).all()
    painted = ours.paint(encoded, np.arange(regions), regions)
    if naming == "segments" or not refinement:
        np.testing.assert_array_equal(painted, ours.region_map(encoded))
    else:  # refinement moves patches' edges
        assert 0 < (painted != ours.region_map(encoded)).mean() < 0.9


def test_region_map_says_which_region_a_pixel_belongs_to():
    ours = segmenter(PATCHES)
    encoded = ours.encode(photo(64, 32))
    assert encoded.grid == (4, 8)
    expected = np.arange(32).reshape(4, 8).repeat(8, axis=0).repeat(8, axis=1)
    np.testing.assert_array_equal(ours.region_map(encoded), expected)
    by_segment = segmenter(SEGMENTS).region_map(encoded)
    assert by_segment.shape == (32, 64)
    assert set(np.unique(by_segment)) <= {0, 1, 2}


# --- from disk, and what is refused -----------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student whose config names its teacher's folder."""
    root = tmp_path_factory.mktemp("models")
    clip().save_pretrained(root / "teacher")
    tokenizer().save_pretrained(root / "teacher")
    sizes: dict[str, Any] = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPImageProcessorPil(**sizes, image_mean=MEAN, image_std=STD).save_pretrained(root / "teacher")
    student(replace(PATCH_STUDENT, teacher=str(root / "teacher"))).save_pretrained(root / "student")
    student(replace(STUDENT, embedding_width=8)).save_pretrained(root / "narrow")
    return root


def test_segmenter_from_folders_finds_the_teacher_of_its_student(folders: Path):
    ours = Segmenter.from_pretrained(folders / "student", device="cpu")
    assert ours.read_out == PATCH_STUDENT.read_out
    assert ours.teacher.fingerprint == teacher().fingerprint
    named_teacher = Segmenter.from_pretrained(folders / "student", teacher=folders / "teacher", device="cpu")
    one, other = (s(photo(40, 30), LABELS) for s in (ours, named_teacher))
    np.testing.assert_array_equal(one.class_map, other.class_map)


def test_student_of_another_teacher_is_refused(folders: Path):
    with pytest.raises(WeightsError, match="8 dimensions"):
        Segmenter.from_pretrained(folders / "narrow", teacher=folders / "teacher")


def test_a_teacher_of_equal_width_but_another_text_tower_is_refused(folders: Path):
    """It would give masks with wrong names, and no error."""
    own = replace(PATCH_STUDENT, teacher="some/clip", text_fingerprint=teacher().text_fingerprint)
    assert Segmenter.of(student(own), teacher()).teacher is teacher()
    with pytest.raises(WeightsError, match=r"another text tower than the given teacher.*trained, some/clip"):
        Segmenter.of(student(own), teacher(1))
    student(replace(own, text_fingerprint=teacher(1).text_fingerprint)).save_pretrained(folders / "of-another")
    with pytest.raises(WeightsError, match=r"of-another was distilled from .* than the teacher .*/teacher, so"):
        Segmenter.from_pretrained(folders / "of-another", teacher=folders / "teacher")


def test_a_student_of_an_earlier_version_takes_any_teacher_of_its_width():
    """It does not know the fingerprint of its own one."""
    assert not PATCH_STUDENT.text_fingerprint
    assert Segmenter.of(student(PATCH_STUDENT), teacher(1)).teacher is teacher(1)


def test_the_bundled_student_knows_the_text_tower_of_the_bundled_teacher():
    assert (
        Student.from_pretrained("picturebook").config.text_fingerprint
        == Teacher.from_pretrained("picturebook").text_fingerprint
    )


def test_naming_by_patches_needs_a_student_with_patches():
    with pytest.raises(WeightsError, match="patches"):
        segmenter(PATCHES, STUDENT)(photo(), LABELS)


def test_bad_pictures_and_vocabularies_are_refused(tmp_path: Path):
    ours = segmenter(PATCHES)
    with pytest.raises(ImageError, match=r"missing\.jpg"):
        ours(tmp_path / "missing.jpg", LABELS)
    with pytest.raises(VocabularyError, match="the vocabulary is empty"):
        ours(photo(), "")


def test_another_reading_shares_the_networks():
    ours = segmenter(PATCHES)
    other = ours.reading(naming="segments")
    assert other.encoder is ours.encoder
    assert (other.read_out.naming, ours.read_out.naming) == ("segments", "patches")


@pytest.mark.parametrize("rule", [Softmax(1.0), Sigmoid(1.0), Margin(200.0), Product(1.0)], ids=lambda rule: rule.name)
def test_every_rule_does_without_background_words(rule: BackgroundRule):
    """What no label fits is background, and how sure that is remains a number from 0 to 1."""
    read_out = ReadOut("patches", rule)
    cells = teacher().embed_texts(["dog", "sky"])
    vocabulary = Vocabulary(("dog", "cat"), background=(), templates=("{}",))
    found = Segmenter(Cells(cells, cells[0]), teacher(), read_out)(photo(2, 1), vocabulary)
    assert found.has_background
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert (found.class_map == 0).all() == (rule.name != "product")  # whose cap lets one region survive


# --- words that the teacher has never seen ------------------------------------------------------------


def knowing(known: KnownWords) -> Segmenter:
    told = ClipTeacher(clip(), tokenizer(), MEAN, STD)
    told.known_words = known
    ours = segmenter(PATCHES)
    return Segmenter(ours.encoder, told, ours.read_out)


def test_unknown_words_are_warned_of_and_change_nothing():
    told = knowing(KnownWords(frozenset({"cat"})))
    with pytest.warns(UnknownWordsWarning, match="never read 'zebra'") as caught:
        warned = told(photo(), "cat, zebra")
    assert len(caught) == 1
    np.testing.assert_array_equal(warned.class_map, segmenter(PATCHES)(photo(), "cat, zebra").class_map)
    (said,) = told.unknown_words(make_vocabulary({"Katze": ["cat"], "Hund": ["zebra"]}))
    assert "Hund" in said
    many = told.unknown_words(make_vocabulary([f"zebra{letter}" for letter in "abcdefghijkl"]))
    assert len(many) == MOST_UNKNOWN


def test_words_are_read_in_the_form_that_the_teacher_has_learned():
    """A text tower that has learned "cat" alone may know nothing of "cats"; the label keeps the user's spelling."""
    told = knowing(KnownWords(frozenset({"cat", "dog"}), {"puppy": "dog"}))
    with pytest.warns(UnknownWordsWarning, match="reads it as 'dog'") as caught:
        found = told(photo(), "Cats, puppy")
    assert len(caught) == 1
    np.testing.assert_array_equal(found.class_map, segmenter(PATCHES)(photo(), "cat, dog").class_map)
    assert found.labels[-2:] == ("Cats", "puppy")


def test_teachers_that_do_not_say_what_they_know_are_believed():
    assert teacher().known_words is None
    assert segmenter(PATCHES).unknown_words(make_vocabulary("zebra")) == []
