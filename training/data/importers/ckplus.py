"""CK+48: the last three frames of each sequence, in folders by expression.

A file `anger/S010_004_00000017.png` is frame 17 of sequence 4 of subject 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from training.data.datasets import EXPRESSIONS, FER_SIDE, CkClips
from training.data.importers.cache import cached
from training.data.importers.pictures import opened_pictures, picture_source, resized
from training.data.importers.places import Tick, dataset_folder, missing, silent
from training.data.importers.tables import shown
from training.errors import DatasetError

ARCHIVES = ("archive.zip", "CK+48.zip", "ck+48.zip")
CLIP = 3
"""Frames of each sequence that CK+48 has kept."""
CONTEMPT = "contempt"

_NAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})\.png", re.ASCII)
_FOLDERS = {
    "anger": "anger",
    CONTEMPT: CONTEMPT,
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sadness": "sadness",
    "surprise": "surprise",
}
_Sequence = tuple[str, str]
"""Subject and sequence, as file names have them."""


def load_ckplus(data: Path, cache: Path | None, tick: Tick = silent) -> CkClips:
    """CK+48 from the folder `ck+48` of a data folder; raises DatasetError."""
    folder = dataset_folder(data, "ck+48")
    source = picture_source(folder, *ARCHIVES)
    return cached(CkClips, cache, (source,), lambda: read_ckplus(source, tick))


def read_ckplus(source: Path, tick: Tick = silent) -> CkClips:
    """Read the clips of a folder or archive, by subject and sequence; those of contempt are counted alone."""
    frames, labels, subjects, contempt = [], [], [], 0
    with opened_pictures(source) as pictures:
        for (subject, _), (expression, names) in sorted(_sequences(pictures.names, source).items()):
            if expression == CONTEMPT:
                contempt += 1
                continue
            clip = [resized(pictures.gray(name), FER_SIDE, f"{source}: {shown(name)}") for name in names]
            frames.append(np.stack(clip))
            labels.append(EXPRESSIONS.index(expression))
            subjects.append(subject)
            tick()
    if not frames:
        raise missing(source / "anger" / "*.png", "ck+48")
    return CkClips(np.stack(frames), np.array(labels, np.int64), np.array(subjects, np.str_), contempt)


def _sequences(names: Iterable[str], source: Path) -> dict[_Sequence, tuple[str, list[str]]]:
    """Each sequence's expression and its three pictures in the order of time."""
    found: dict[_Sequence, tuple[str, list[str]]] = {}
    for name in sorted(names, key=lambda name: PurePosixPath(name).name):
        where = f"{source}: {shown(name)}"
        *_, folder, file = ("", *PurePosixPath(name).parts)
        match = _NAME.fullmatch(file)
        if match is None:
            raise DatasetError(f"{where}: expected a name like S010_004_00000017.png")
        expression = _FOLDERS.get(folder.lower())
        if expression is None:
            raise DatasetError(f"{where}: folder {shown(folder)}, expected one of {', '.join(_FOLDERS)}")
        before, clip = found.setdefault((match[1], match[2]), (expression, []))
        if before != expression:
            raise DatasetError(f"{where}: {expression}, expected {before} as in {shown(clip[0])}")
        clip.append(name)
    for (subject, sequence), (_, clip) in found.items():
        if len(clip) != CLIP:
            raise DatasetError(f"{source}: {subject}_{sequence} has {len(clip)} pictures, expected {CLIP}")
    return found
