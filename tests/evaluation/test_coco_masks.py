"""Run lengths in COCO's compressed text, which we sum before pycocotools decodes them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from zeroseg.evaluation.coco_masks import decoded, decompressed

API: Any = coco_mask  # whose stubs know fewer arguments
MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40)))
RUNS = st.lists(st.integers(1, 3000), min_size=1, max_size=12)


@settings(deadline=None)
@given(MASKS)
def test_what_pycocotools_compresses_is_decoded_to_the_same_mask(mask: np.ndarray):
    encoded: Any = API.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = encoded["counts"].decode()
    runs = decompressed(counts)
    assert sum(runs) == mask.size
    np.testing.assert_array_equal(np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(mask.T.shape).T, mask)
    annotation = {"segmentation": {"size": list(mask.shape), "counts": counts}}
    np.testing.assert_array_equal(decoded(annotation, mask.shape, API), mask)


@settings(deadline=None)
@given(RUNS, st.integers(-3, 3).filter(bool))
def test_runs_of_any_length_are_read_and_another_sum_is_refused(runs: list[int], off: int):
    """Long runs take several characters, and differences to the run two before may be negative."""
    encoded: Any = API.frPyObjects({"size": [sum(runs), 1], "counts": runs}, sum(runs), 1)
    counts = encoded["counts"].decode()
    assert decompressed(counts) == runs
    wrong = (max(sum(runs) + off, 0), 1)
    with pytest.raises(ValueError, match=rf"run lengths of {sum(runs)} pixels for 1 x {wrong[0]}"):
        decoded({"segmentation": {"size": list(wrong), "counts": counts}}, wrong, API)
