"""What a detector learns from, for its file's metadata and its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from training.detector.scenes import folder_name
from training.detector.train import DetectorConfig
from training.runs.onnx_file import read_sources

DATASETS = (
    "scenes (imagenet-sample-images, 100 Sports, human detection, Face Mask Detection, WIDER FACE train)",
    "GroceryStoreDataset",
    "FairFace",
)
"""The sets that every run learns from."""


class Source(NamedTuple):
    """A set of further photographs with boxes: its name, what it shows, and its licence."""

    name: str
    shows: str
    licence: str


KNOWN = {
    "widerface": Source("WIDER FACE, training split", "crowds and faces of all sizes", "research use"),
    "mafa": Source("MAFA (Ge et al. 2017)", "covered faces", "research use"),
    "facemask": Source("Face Mask Detection, in full size", "masks", "public"),
    "textures": Source("Describable Textures (Cimpoi et al. 2014)", "nine kinds of surfaces", "research use"),
    "desks": Source("Face Detection (ECE342, Roboflow)", "people at desks", "CC BY 4.0"),
}
"""Sets by the name of their folder, in small letters."""


def further_sources(folders: Sequence[str]) -> list[Source]:
    """The sets in the folders of further photographs; an unknown one has the name of its folder."""
    names = [folder_name(Path(folder)) for folder in folders]
    return [KNOWN.get(name.lower(), Source(name, "photographs with boxes", "not known")) for name in names]


def data_sources(config: DetectorConfig) -> tuple[str, ...]:
    """The names of all sets that a detector learns from, itself or through the weights that it starts with.

    Raises RunError for a start that cannot be read.
    """
    further = (source.name for source in further_sources(config.photographs))
    started = () if config.start_from is None else read_sources(Path(config.start_from))
    return tuple(dict.fromkeys((*DATASETS, *further, *started)))
