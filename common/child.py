"""A Python module as a child process that ends with its parent and writes no core dump.

`python -P -m common.child PARENT MODULE [ARGUMENT]...` runs MODULE as `python -m MODULE ARGUMENT...` does,
without the current folder in the search path. `command` makes these arguments.
"""

from __future__ import annotations

import os
import runpy
import sys

from common.core_dumps import forbid_core_dumps
from common.log_lines import one_line_records
from common.parent import end_with_parent


def command(module: str, *arguments: str) -> list[str]:
    """The arguments that run `module` as a child of this process."""
    return [sys.executable, "-P", "-m", "common.child", str(os.getpid()), module, *arguments]


def main() -> None:
    """Run the module that the arguments name, in this process."""
    parent, module, *arguments = sys.argv[1:]
    end_with_parent(int(parent))
    forbid_core_dumps()
    one_line_records()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
