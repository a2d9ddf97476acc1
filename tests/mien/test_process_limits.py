"""The limit of open files of a process that captures."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import resource
from mien.process_limits import raise_open_file_limit
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
limit = 2000 if hard == resource.RLIM_INFINITY else min(hard, 2000)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, limit))
raise_open_file_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (limit, limit))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_the_limit_of_open_files_is_raised_as_far_as_the_process_may() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "True\n", done.stderr
