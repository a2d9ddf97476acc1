"""A folder of photographs with boxes in one of the known formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from media.images import PICTURE_FILE
from training.data.importers.faces.marked import LabelledBox, Marked, create_marked, find_picture
from training.data.importers.faces.voc import read_voc
from training.data.importers.faces.wider import TABLE, read_wider
from training.data.importers.faces.yolo import read_yolo
from training.data.importers.paths import Tick, no_progress
from training.data.importers.picture_files import PictureFiles, open_pictures
from training.errors import DatasetError

NOT_LABELS = ("classes.txt", "readme.txt", "train.txt", "val.txt", "test.txt", "notes.txt")
"""Text files that YOLO folders contain and that hold no boxes."""


def load_marked(folder: Path, tick: Tick = no_progress) -> Iterator[Marked]:
    """The photographs of a folder in the format of WIDER FACE, of Pascal VOC or of YOLO.

    The files determine the format: `wider_face_train_bbx_gt.txt`, else `*.xml`, else `*.txt`, in the folder
    or in folders in it. Raises DatasetError for a folder with none of them, and for what does not fit.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    with open_pictures(folder, PICTURE_FILE) as pictures:
        wider = sorted(folder.rglob(TABLE))
        xml = sorted(folder.rglob("*.xml"))
        if wider:
            yield from _match_pictures(read_wider(wider[0]), pictures, tick)
        elif xml:
            yield from _match_pictures(read_voc(xml), pictures, tick)
        else:
            yield from _yolo(folder, pictures, tick)


def _match_pictures(
    faces: Iterable[tuple[str, list[LabelledBox], str]], pictures: PictureFiles, tick: Tick
) -> Iterator[Marked]:
    by_file: dict[str, dict[str, str]] = {}
    for name in pictures.names:
        by_file.setdefault(PurePosixPath(name).name, {})[name] = ""
    for wanted, found, where in faces:
        name = find_picture(wanted, by_file.get(PurePosixPath(wanted).name, {}), where)
        tick()
        yield create_marked(name, pictures.gray(name), found)


def _yolo(folder: Path, pictures: PictureFiles, tick: Tick) -> Iterator[Marked]:
    """Pictures with their labels; one without a label file holds no face, as long as others have one."""
    tables = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.txt"))
        if path.name.lower() not in NOT_LABELS
    }
    if not tables:
        raise DatasetError(
            f"{folder}: holds no {TABLE}, no *.xml and no *.txt with boxes; "
            "pass a folder in the format of WIDER FACE, of Pascal VOC or of YOLO"
        )
    used = set()
    for name in pictures.names:
        stem = PurePosixPath(name).with_suffix("").as_posix()
        key = next((each for each in (stem, _label_name(stem)) if each in tables), None)
        pixels = pictures.gray(name)
        faces = []
        if key is not None:
            used.add(key)
            faces = read_yolo(tables[key], *pixels.shape)
        tick()
        yield create_marked(name, pixels, faces)
    for key in tables.keys() - used:
        raise DatasetError(f"{tables[key]}: no picture of that name; remove the file, or add its picture")


def _label_name(stem: str) -> str:
    """`images/train/a` has its labels in `labels/train/a`."""
    return "/".join("labels" if part == "images" else part for part in stem.split("/"))
