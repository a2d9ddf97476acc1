"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Settings and cameras; otherwise mien.yaml where there is one.", dir_okay=False
    ),
]
Database = Annotated[
    str | None, typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://USER@HOST/NAME.")
]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the dashboard.")]
NoDashboard = Annotated[bool, typer.Option("--no-dashboard", help="Watch and store only.")]
