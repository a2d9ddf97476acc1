"""What can go wrong between a camera and the bus.

IngestError
├── SourceError     a source that cannot be used as it is written: trying again changes nothing
├── SourceLost      a source that cannot be reached for now, or that broke while it was read
└── BadPicture      one picture that cannot be decoded; the next may be fine

Their texts are shown to operators: one line, no secrets.
"""


class IngestError(Exception):
    """Root of every error that this package raises on purpose."""


class SourceError(IngestError):
    """A source that cannot be used as it is written; names the value and what to write instead."""


class SourceLost(IngestError):
    """A source that cannot be reached for now or that broke; the text is a plain sentence."""


class BadPicture(IngestError):
    """A picture that is damaged or too large; says what was found."""
