"""The words of captions: all that the picturebook's teacher has ever read."""

from random import Random

from zeroseg.known_words import KnownWords
from zeroseg.models import BUNDLED
from zeroseg.picturebook import PicturebookPairs, caption_words
from zeroseg.teacher import Teacher
from zeroseg.teacher.text_tower import KNOWN_WORDS


def test_captions_have_no_other_words():
    captions = [caption for index in range(30) for _, caption in PicturebookPairs(30, 16).pairs(index, Random(index))]
    seen = {word for caption in captions for word in caption.split()}
    assert len(seen) > 60
    assert seen <= set(caption_words())


def test_the_bundled_teacher_knows_the_words_of_captions():
    """Its list is `"".join(f"{word}\\n" for word in caption_words())`."""
    saved = (BUNDLED["picturebook"].teacher / KNOWN_WORDS).read_text(encoding="utf-8")
    assert saved.splitlines() == caption_words()
    assert Teacher.from_pretrained("picturebook").known_words == KnownWords(frozenset(caption_words()))
