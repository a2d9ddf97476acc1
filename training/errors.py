"""Errors of this package.

TrainingError
├── DatasetError            a data set file is missing or malformed
├── FetchError              a data set file cannot be downloaded, or is not the published file
├── RunError                a run folder cannot be used for this purpose
│   └── Diverged            the loss of a run is no longer a number
├── UnknownArchitecture     no network has this name
├── UnknownSystem           no system of the comparison has this name
├── ExportError             an exported file differs from the Keras model
├── ExplainError            a network has no feature maps for a heat map
└── ReportError             figures for a page do not exist
"""


class TrainingError(Exception):
    """Root of every error that this package raises on purpose."""


class DatasetError(TrainingError):
    """A data set file is missing or malformed; names file, row, column and the expected content."""


class FetchError(TrainingError):
    """A file cannot be downloaded, or is not the published file; names its address and the fix."""


class RunError(TrainingError):
    """A run folder is missing, incomplete, or holds another run."""


class Diverged(RunError):
    """The loss of a run is no longer a number; its checkpoint holds the weights from before."""


class UnknownArchitecture(TrainingError):
    """No network has this name; lists the known names."""


class UnknownSystem(TrainingError):
    """No system of the comparison has this name; lists the known names."""


class ExportError(TrainingError):
    """An exported file differs from the Keras model."""


class ExplainError(TrainingError):
    """A network has no such head, or no feature maps with known positions in the picture."""


class ReportError(TrainingError):
    """A page names an unknown block, or the figures of a block do not exist."""
