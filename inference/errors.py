"""Exceptions of this package.

InferenceError
├── ModelError      a model file is missing, altered or invalid
├── InputError      a path does not exist, has neither pictures nor videos, or cannot be read as asked
└── OutputError     a result cannot be written to the requested path
"""


class InferenceError(Exception):
    """Root of every error that this package raises on purpose."""


class ModelError(InferenceError):
    """A model file is missing, altered or invalid; the message names file, field, value and fix."""


class InputError(InferenceError):
    """A path does not exist, has no pictures or videos, or cannot be read as asked; the message says why."""


class OutputError(InferenceError):
    """A result cannot be written to the requested path; the message names path and reason."""
