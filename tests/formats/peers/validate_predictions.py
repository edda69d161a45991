"""What Label Studio's SDK says of predictions: `validate_predictions.py IN.json OUT.json`.

IN has "config" and "predictions"; OUT is a list with the complaints of each prediction.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface

read, written = map(Path, sys.argv[1:])
asked = json.loads(read.read_text(encoding="utf-8"))
config = LabelInterface(asked["config"])
complaints = [config.validate_prediction(prediction, return_errors=True) for prediction in asked["predictions"]]
written.write_text(json.dumps(complaints), encoding="utf-8")
