"""Students on MSRC-21's test images, beside all read-outs of their teacher: records for docs/results.md.

python scripts/photos_results.py MSRC21 --students STUDENT ... [--teacher TEACHER] [--records FOLDER] [--seconds]

Students are folders, one for each seed. What has a record of the same weights and images is not measured again. With
--seconds nothing is measured but the time of an image, and added to the records: on a quiet machine, with as many
threads as --threads says. (Beside other work several threads are slower than one.) Then `zeroseg reproduce --page-only`
writes the page.
"""

import argparse
import sys
from pathlib import Path

import torch

from zeroseg import Segmenter
from zeroseg.cli.progress import counting
from zeroseg.errors import ZeroSegError
from zeroseg.reproduce.photos import PhotoSets, measure_missing, read_outs, student_subject, time_recorded


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder of MSRC-21")
    parser.add_argument("--students", nargs="+", required=True)
    parser.add_argument("--teacher", help="default: the one that the first student names")
    parser.add_argument("--records", type=Path, default=Path("docs/records"))
    parser.add_argument("--size", type=int, help="at most this many images of each split")
    parser.add_argument("--seconds", action="store_true")
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    segmenters = [Segmenter.from_pretrained(name, given.teacher) for name in given.students]
    first = segmenters[0]
    subjects = [student_subject(seed, segmenter) for seed, segmenter in enumerate(segmenters)]
    subjects += read_outs(first.whole_teacher, first.read_out)
    sets = PhotoSets(given.data, given.size, given.size or PhotoSets.validation)
    if given.seconds:
        time_recorded(subjects, sets, given.records)
    else:
        measure_missing(subjects, sets, given.records, counting)


if __name__ == "__main__":
    try:
        main()
    except ZeroSegError as error:
        sys.exit(f"photos_results.py: {error}")
