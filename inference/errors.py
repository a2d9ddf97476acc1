"""What can go wrong in inference.

InferenceError
├── ModelError      a model file is missing, altered, or does not fit the runtime
├── ImageError      bytes that are not a picture, or not one that can be processed
└── OutputError     a result cannot be written where it was asked for
"""


class InferenceError(Exception):
    """Root of every error that this package raises on purpose."""


class ModelError(InferenceError):
    """A model file is missing, altered, or does not fit; names file, field, value and fix."""


class ImageError(InferenceError):
    """A picture that cannot be decoded or is too large; names what was found and expected."""


class OutputError(InferenceError):
    """A result cannot be written where it was asked for; names the path and the reason."""
