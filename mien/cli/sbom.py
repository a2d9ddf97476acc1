"""`mien sbom`: the software bill of materials of this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sbom(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file.", dir_okay=False)
    ] = None,
) -> None:
    """Print which packages and models are installed, with versions and licences, as CycloneDX (JSON)."""
    import json

    from mien.cli.output_file import write_output
    from mien.sbom import build_sbom

    text = f"{json.dumps(build_sbom(), indent=2, sort_keys=True)}\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_output(out, text.encode())
