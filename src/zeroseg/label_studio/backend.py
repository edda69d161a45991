"""What Label Studio asks of a model, and the answers: masks for the labels of a project's own config.

The protocol: https://github.com/HumanSignal/label-studio-ml-backend (`label_studio_ml/api.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from zeroseg.errors import DatasetError, ZeroSegError
from zeroseg.formats import Region, regions
from zeroseg.formats.annotated import label_areas
from zeroseg.formats.label_studio import MODEL_VERSION, prediction
from zeroseg.formats.project_labels import Control, controls
from zeroseg.label_studio.task_images import TaskImages
from zeroseg.presence import without_absent
from zeroseg.segmentation import BACKGROUND, Segmentation
from zeroseg.segmenter import Segmenter
from zeroseg.vocabulary import label_key, merged_vocabulary

Json = dict[str, Any]

MODEL_CLASS = "ZeroSeg"
SAID = 20  # tasks of a request of which it is said why they have no answer
NOTHING: Json = {"model_version": MODEL_VERSION, "score": 0.0, "result": []}


class Backend:
    """The answers to Label Studio's requests; they may come from several threads."""

    def __init__(
        self, segmenter: Segmenter, images: TaskImages, say: Callable[[str], None], drop_absent: bool = True
    ) -> None:
        """`images` says where images may come from; `say` receives a sentence for each task without an answer.

        `drop_absent`: labels of which it is doubtful that they are in an image get no area (`presence.judge`).
        """
        self.segmenter, self.images, self.say = segmenter, images, say
        self._segmented = without_absent if drop_absent else Segmenter.name
        self._alone = threading.Lock()  # the networks work for one request at a time

    def health(self) -> Json:
        """That the model is there."""
        return {"status": "UP", "model_class": MODEL_CLASS, "model_version": MODEL_VERSION}

    def setup(self, request: Json) -> Json:
        """A project was connected: its config is checked. Raises `DatasetError` if it asks for nothing we can give."""
        if request.get("schema"):
            _asked(request["schema"])
        return {"model_version": MODEL_VERSION}

    def predict(self, request: Json) -> Json:
        """One prediction for each task, in their order; that of a task that fails has no results.

        Raises `DatasetError` for a request without tasks, or with a config that asks for nothing we can give.
        """
        tasks = request.get("tasks")
        if not isinstance(tasks, list):
            raise DatasetError('the request has no list of "tasks".')
        asked = _asked(request.get("label_config"))
        found = [self._predicted(task, asked) for task in tasks]
        wrong = [one for one in found if isinstance(one, str)]
        for sentence in wrong[:SAID]:
            self.say(sentence)
        if len(wrong) > SAID:
            self.say(f"and {len(wrong) - SAID:,} more tasks of the same request.")
        results = [NOTHING if isinstance(one, str) else one for one in found]
        return {"results": results, "model_version": MODEL_VERSION}

    def _predicted(self, task: Any, asked: list[Control]) -> Json | str:
        """A prediction, or a sentence that says why there is none."""
        try:
            with self._alone:
                return self._prediction(task["data"], asked)
        except ZeroSegError as error:
            reason = str(error)
        except (KeyError, TypeError) as error:
            reason = f"its data have no image where the config looks for it ({error!r})."
        except Exception as error:  # whatever it is, the other tasks are answered
            reason = f"{type(error).__name__}: {error}"
        number = task.get("id") if isinstance(task, dict) else None
        return f"task {number}: {' '.join(reason.split())}"

    def _prediction(self, data: Json, asked: list[Control]) -> Json:
        """The results of all controls; each image is encoded once. The score is the mean of those of the controls."""
        encoded = {
            key: self.segmenter.encode(self.images.load(data[key]))
            for key in dict.fromkeys(control.image_key for control in asked)
        }
        found: list[Json] = []
        for control in asked:
            vocabulary = merged_vocabulary((label.word, label.other_words) for label in control.labels)
            segmentation = self._segmented(self.segmenter, encoded[control.image_key], vocabulary)
            found.append(_results(control, segmentation))
        score = float(np.mean([one["score"] for one in found]))
        return {**NOTHING, "score": round(score, 6), "result": [result for one in found for result in one["result"]]}


def _results(control: Control, segmentation: Segmentation) -> Json:
    """The prediction for a control. A label "background" gets the pixels that no other label fits."""
    by_key = {label_key(label.word): label.name for label in reversed(control.labels)}
    names = {i: by_key[label_key(label)] for i, label in enumerate(segmentation.labels) if label_key(label) in by_key}
    if segmentation.has_background and BACKGROUND in by_key:
        segmentation = replace(segmentation, has_background=False)
    areas: Iterable[Region] = (label_areas if control.kind == "brushlabels" else regions)(segmentation)
    return prediction(control, segmentation, names, areas)


def _asked(config: object) -> list[Control]:
    """The controls with labels. Raises `DatasetError` if there are none."""
    found = [control for control in controls(config) if control.labels] if isinstance(config, str) else []
    if not found:
        raise DatasetError(
            "the label config has no BrushLabels, PolygonLabels or RectangleLabels with labels for an Image: add them."
        )
    return found
