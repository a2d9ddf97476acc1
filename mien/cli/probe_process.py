"""Child process that tests one camera for the dashboard: a request as JSON on stdin, the report on stdout.

It is run by `mien.wiring.probes`, which limits its time. Its memory is limited here.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import replace

MOST_MEMORY = 3 * 1024**3
"""Bytes of address space; a test of a camera with small pictures runs in half of it."""


def main() -> None:
    """Answer one request; a source that delivers nothing is a `problem`, as a browser may read it."""
    _limit_memory()
    from common.masks import make_masks
    from ingest.address_policy import describe_to_browser
    from ingest.errors import IngestError
    from mien.cli.probe import probe, to_json
    from mien.settings import Settings
    from mien.wiring.source_rules import create_source_rules

    request = json.load(sys.stdin)
    rules = create_source_rules(Settings())
    if request["from_browser"]:
        rules = replace(rules, policy=rules.policy.without_this_machine())
    try:
        masks, thorough = make_masks(request["masks"]), request["thorough"]
        answer = to_json(probe(request["source"], request["seconds"], rules, masks, thorough=thorough))
    except IngestError as error:
        answer = {"problem": describe_to_browser(error)}
    except MemoryError:
        answer = {"problem": "the pictures of this camera are too large to be tested"}
    json.dump(answer, sys.stdout)


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
