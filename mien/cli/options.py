"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Configuration file with settings and cameras. Default: mien.yaml, if it exists.",
        dir_okay=False,
    ),
]
Database = Annotated[
    str | None, typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://USER@HOST/NAME.")
]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the dashboard.")]
NoDashboard = Annotated[bool, typer.Option("--no-dashboard", help="Capture and store only.")]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="0 (webcam), rtsp(s)://..., http(s)://... (MJPEG), a video file, a folder of pictures or "
        "demo://NAME. Repeat it for several cameras. ${MIEN_CAMERA_...} is replaced from the environment. "
        "Default: the cameras of mien.yaml and of `mien cameras`.",
    ),
]
Fps = Annotated[
    float | None, typer.Option(min=0.1, max=120, help="Frames per second of each camera (default 5).")
]
Loop = Annotated[bool, typer.Option("--loop", help="Restart recordings at their end.")]
