"""Environment variables that look like settings of Mien and are none, such as one with a spelling mistake."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

from common.source_parts import REFERENCE
from ingest.cameras import DEFAULT_VARIABLES

_OTHERS = ("MIEN_DATA", "MIEN_CONTAINER_ENGINE", "MIEN_TEST_*")
"""Variables of training, tests and benchmarks, which are no settings."""
_SERVICE_LINKS = ("MIEN_*SERVICE_HOST", "MIEN_*SERVICE_PORT*", "MIEN_*PORT_*_TCP*", "MIEN_PORT")
"""Variables that Kubernetes gives to every container for a Service whose name begins with `mien`."""


def describe_unknown_variable(
    environ: Mapping[str, str], prefix: str, settings: Collection[str], variables: Iterable[str], bus: str
) -> str:
    """The first variable with `prefix` that nothing reads, with the nearest right name; empty without one.

    Args:
        environ: the environment of the process.
        prefix: of the variables that are settings, in upper case. As for pydantic, case does not matter.
        settings: the names of all settings, in lower case without the prefix.
        variables: patterns of the variables to which sources of cameras may refer.
        bus: the setting that may refer to variables as `${NAME}`.
    """
    known = {f"{prefix}{name.upper()}" for name in settings}
    patterns = (*variables, *DEFAULT_VARIABLES, *_OTHERS, *REFERENCE.findall(bus))
    for name in sorted(environ):
        if not name.upper().startswith(prefix) or name.upper() in known:
            continue
        if not any(fnmatchcase(name, pattern) for pattern in (*patterns, *_SERVICE_LINKS)):
            candidates = sorted(known | {each for each in patterns if each.startswith(prefix)})
            nearest = get_close_matches(name.upper(), candidates, n=1)
            hint = f"; the nearest name is {nearest[0]}" if nearest else ""
            return f"{name}: there is no such setting{hint}; docs/configuration.md lists all"
    return ""
