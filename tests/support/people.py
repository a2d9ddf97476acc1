"""Takes every tracked face for a person, for tests of what happens after that."""

from __future__ import annotations

import pytest
from typing_extensions import override

from inference import analyser
from inference.detector import ScoreLevels
from inference.evidence import Evidence


class EveryFace(Evidence):
    """Evidence for which a score is enough."""

    @override
    def is_person(self, levels: ScoreLevels, spacing_us: int = 0) -> bool:
        return self.score >= levels.sure


def count_every_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test ends, faces beyond doubt count as people's without a movement."""
    monkeypatch.setattr(analyser, "Evidence", EveryFace)
