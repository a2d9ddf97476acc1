"""The two shipped models, in the file that suits this processor."""

from __future__ import annotations

from inference.classifier import Classifier
from inference.detector import Detector


def create_detector() -> Detector:
    """Load the face detector; raises ModelError for a file that cannot be used."""
    return Detector()


def create_classifier() -> Classifier:
    """Load the face classifier; raises ModelError for a file that cannot be used."""
    return Classifier()
