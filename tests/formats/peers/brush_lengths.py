"""Label Studio's codec: `brush_lengths.py IN.json OUT.json`.

IN has "packed", lists of bytes, and "masks", lists of rows of 0 and 1. OUT has the masks of "packed" as flat lists of
values, four a pixel, and the bytes of "masks".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from label_studio_sdk.converter.brush import decode_rle, mask2rle

read, written = map(Path, sys.argv[1:])
asked = json.loads(read.read_text(encoding="utf-8"))
answered = {
    "values": [decode_rle(packed).tolist() for packed in asked["packed"]],
    "packed": [mask2rle(np.array(mask, np.uint8) * 255) for mask in asked["masks"]],
}
written.write_text(json.dumps(answered), encoding="utf-8")
