"""The live path: faces are found, tracked and classified in frames, and pooled into visits.

This import has one side effect: it switches off the telemetry of ONNX Runtime, whose official builds send
usage events to Microsoft. ONNX Runtime reads the variable when it is loaded, so it is set here, before any
module of this package can load ONNX Runtime. Child processes inherit it.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
