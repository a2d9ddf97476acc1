"""Pascal VOC: an XML file for each picture, with its name and a `bndbox` for each object.

Every object is a face, whatever its name; those marked as `difficult` are ignored in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from training.data.importers.faces.marked import LabelledBox, parse_number, read_lines
from training.errors import DatasetError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(files: list[Path]) -> Iterator[tuple[str, list[LabelledBox], str]]:
    """Each picture's name, its faces, and the file that lists them; raises DatasetError."""
    for file in files:
        text = "\n".join(read_lines(file))
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise DatasetError(f"{file}: declares a document type or entities, expected plain elements")
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            raise DatasetError(f"{file}: is no XML ({error})") from error
        name = (root.findtext("filename") or "").strip()
        if root.tag != "annotation" or not name:
            raise DatasetError(f"{file}: expected an element annotation with a filename in it")
        objects = enumerate(root.iter("object"), start=1)
        yield name, [_face(each, f"{file} object {index}") for index, each in objects], str(file)


def _face(element: ElementTree.Element, where: str) -> LabelledBox:
    box = element.find("bndbox")
    if box is None:
        raise DatasetError(f"{where}: no bndbox in it")
    left, top, right, bottom = (parse_number(box.findtext(corner), where, corner) for corner in _CORNERS)
    if right <= left or bottom <= top:
        raise DatasetError(
            f"{where}: xmin {left:g}, ymin {top:g}, xmax {right:g}, ymax {bottom:g}, "
            "expected xmax above xmin and ymax above ymin"
        )
    difficult = (element.findtext("difficult") or "0").strip() != "0"
    return LabelledBox(left, top, right - left, bottom - top, not difficult)
