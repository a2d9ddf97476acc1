"""What can go wrong in inference.

InferenceError
├── ModelError      a model file is missing, altered, or does not fit the runtime
└── ImageError      bytes that are not a picture, or not one that can be processed
"""


class InferenceError(Exception):
    """Root of every error that this package raises on purpose."""


class ModelError(InferenceError):
    """A model file is missing, altered, or does not fit; names file, field, value and fix."""


class ImageError(InferenceError):
    """A picture that cannot be decoded or is too large; names what was found and expected."""
