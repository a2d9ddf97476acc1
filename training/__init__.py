"""Data to model files: both models are trained, measured, exported and described here.

`inference` is imported first because it switches off the telemetry of ONNX Runtime, which training loads too.
"""

import inference as _inference  # noqa: F401
