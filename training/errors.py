"""What can go wrong in training.

TrainingError
├── DatasetError            a data set file is missing or does not have the form that it should
├── FetchError              a data set file cannot be downloaded, or is not the published one
├── RunError                a run folder cannot be used for what was asked
├── UnknownArchitecture     no network of that name
├── UnknownSystem           no system of that name in the comparison
├── ExportError             an exported file does not do what the Keras model does
├── ExplainError            a network has nothing that a heat map could show
└── ReportError             a page of figures asks for what there is not
"""


class TrainingError(Exception):
    """Root of every error that this package raises on purpose."""


class DatasetError(TrainingError):
    """A data set file is missing or malformed; names file, row, column and what was expected."""


class FetchError(TrainingError):
    """A file cannot be downloaded, or is not the published one; names its address and the fix."""


class RunError(TrainingError):
    """A run folder holds something else than what was asked for."""


class UnknownArchitecture(TrainingError):
    """No network of that name; names those that there are."""


class UnknownSystem(TrainingError):
    """No system of that name in the comparison; names those that there are."""


class ExportError(TrainingError):
    """An exported file does not do what the Keras model does."""


class ExplainError(TrainingError):
    """A network has no such head, or no feature maps whose places in the picture are known."""


class ReportError(TrainingError):
    """A page asks for a block of figures that there is not."""
