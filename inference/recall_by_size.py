"""Shares of the faces of each size that the shipped detector finds in a single picture.

They are measured on the test photographs when a detector is published, and lie beside its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.errors import ModelError
from inference.model_file import MODELS

FILE = "detector_recall.json"


class RecallBySize:
    """What a detector finds at its level `face`, by the size of a face as the network sees it.

    Args:
        models: folder of the shipped models.

    Raises ModelError for a file that is missing or is not such a table.
    """

    def __init__(self, models: Path = MODELS) -> None:
        path = models / FILE
        try:
            self._shares = sorted(
                (*(float(edge) for edge in sizes.split("-")), float(share))
                for sizes, share in json.loads(path.read_text()).items()
            )
            if not self._shares or any(len(row) != 3 for row in self._shares):
                raise ValueError("no sizes")
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise ModelError(f"{path}: {error}; publish the detector again with `mien train`") from error

    def share(self, size: float) -> float:
        """The share (0 to 1) of faces of a size in pixels that is found; sizes outside the table count as its
        ends, and faces below half of its smallest size are not found.
        """
        if size < self._shares[0][0] / 2:
            return 0.0
        return next((share for _, high, share in self._shares if size < high), self._shares[-1][2])


def make_table(figures: Mapping[str, Any]) -> dict[str, float]:
    """The table of the figures that `mien train detector evaluate` measured of one file on one part."""
    sizes = figures["running"]["recall_by_size"]
    return {name: found["value"] for name, found in sizes.items() if found.get("n")}
