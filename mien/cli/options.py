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
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="0 (webcam), rtsp://..., http(s)://... (MJPEG), a video file, a folder of pictures, "
        "demo://NAME. Several times for several cameras. ${NAME} is taken from the environment. "
        "Without it: the cameras of mien.yaml and those of `mien cameras`.",
    ),
]
Fps = Annotated[
    float | None, typer.Option(min=0.1, max=120, help="Pictures per second and camera. [default: 5]")
]
Loop = Annotated[bool, typer.Option("--loop", help="Begin recordings again at their end.")]
