"""What can go wrong between a camera and the bus.

IngestError
├── SourceError     a source that cannot be used as it is written: another attempt changes nothing
└── SourceLost      a source that cannot be reached at present, or that failed while it was read

The messages are shown to operators: one line, no secrets. A picture that cannot be decoded is a
`media.errors.ImageError`; the next one may be valid.
"""


class IngestError(Exception):
    """Root of every error that this package raises on purpose."""


class SourceError(IngestError):
    """A source that cannot be used as it is written; names the value and what to write instead."""


class SourceLost(IngestError):
    """A source that cannot be reached at present or that failed; the message is a plain sentence."""
