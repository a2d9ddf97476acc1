"""The two shipped models, in the file that suits this processor."""

from __future__ import annotations

from pathlib import Path

from inference.classifier import Classifier
from inference.detector import Detector
from inference.thorough import ThoroughDetector


def create_detector(own: Path | None = None) -> Detector:
    """Load the face detector, or the user's `own`; raises ModelError for a file that cannot be used."""
    return Detector(own, own=own is not None)


def create_thorough_detector(own: Path | None = None) -> ThoroughDetector:
    """Load the face detector for small faces in large pictures; raises ModelError as `create_detector`."""
    return ThoroughDetector(create_detector(own))


def create_classifier() -> Classifier:
    """Load the face classifier; raises ModelError for a file that cannot be used."""
    return Classifier()
