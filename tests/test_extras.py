"""The tests run with the extra `dev` alone: those of training are skipped, with the reason."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.test_dependencies import DEV, ROOT, TRAIN

MODULES = {"tensorflow-cpu": "tensorflow", "protobuf": None}
"""Modules of packages whose names differ; None: the dashboard brings the package as well."""


def test_every_test_file_is_collected_without_the_extra_for_training() -> None:
    packages = TRAIN.keys() - DEV.keys()
    hidden = [module for name in sorted(packages) if (module := MODULES.get(name, name))]
    assert {"keras", "tensorflow", "onnx"} <= set(hidden)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.blocker",
            ",".join(hidden),
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"SKIPPED \[\d+\] .*Keras is not installed: `make install-train`", done.stdout)
