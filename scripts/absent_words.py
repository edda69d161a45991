"""Measure how well absent words are known to be absent, on photos (MSRC-21, test) and on drawings (held-out scenes).

python scripts/absent_words.py --data ../msrc21 [--images 295] [--out docs/records/presence]

Each picture is segmented with the classes of its data set, with those of them that are in it, and with 1,000 names
beside them; with all labels kept, and without those of which it is doubtful that they are in it. The figures go to one
JSON file for each data set; `zeroseg reproduce --page-only` writes them into docs/results.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from zeroseg import Segmenter
from zeroseg.cli.progress import counting
from zeroseg.evaluation import open_dataset
from zeroseg.evaluation.absent_words import measure_absent_words
from zeroseg.files import write_text_atomically
from zeroseg.vocabulary import label_key

NAMES = 1000


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int)
    parser.add_argument("--out", type=Path, default=Path("docs/records/presence"))
    given = parser.parse_args()
    known = Segmenter.from_pretrained("photos").teacher.known_words
    assert known is not None
    for name, model, folder in (("msrc21", "photos", given.data), ("picturebook-voc", "picturebook", None)):
        dataset = open_dataset(name, size=given.images, folder=folder)
        taken = set(map(label_key, dataset.vocabulary.labels))
        others = [word for word in sorted(known.names) if label_key(word) not in taken]
        more = [others[number * len(others) // NAMES] for number in range(NAMES)]
        with counting(name, len(dataset)) as progress:
            found = measure_absent_words(Segmenter.from_pretrained(model), dataset, more, progress)
        text = json.dumps({"model": model, "words": len(more), **found.as_json()}, indent=2)
        write_text_atomically(given.out / f"{name}.json", text + "\n")
        print(text, flush=True)


if __name__ == "__main__":
    main()
