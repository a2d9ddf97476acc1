"""The two shipped models, in the file that suits this processor."""

from __future__ import annotations

from inference.classifier import Classifier
from inference.detector import Detector
from inference.thorough import ThoroughDetector


def create_detector() -> Detector:
    """Load the face detector; raises ModelError for a file that cannot be used."""
    return Detector()


def create_thorough_detector() -> ThoroughDetector:
    """Load the face detector for small faces in large pictures; raises ModelError as `create_detector`."""
    return ThoroughDetector(create_detector())


def create_classifier() -> Classifier:
    """Load the face classifier; raises ModelError for a file that cannot be used."""
    return Classifier()
