"""What can go wrong in inference.

InferenceError
└── ModelError      a model file is missing, altered, or does not fit the runtime
"""


class InferenceError(Exception):
    """Root of every error that this package raises on purpose."""


class ModelError(InferenceError):
    """A model file is missing, altered, or does not fit; names file, field, value and fix."""
