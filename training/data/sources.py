"""The face data sets that Mien reads: where they come from, and under which terms.

What licence and link allow is downloaded; of the rest it is said exactly what to download by hand and where
to put it. Addresses end in a commit where there is one, so that what lies there cannot change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """A file that anybody may download: its address, its name in the data set's folder, how to know it."""

    url: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """A data set or a part of one: its folder, its title and terms, and how to get it."""

    folder: str
    title: str
    licence: str
    download: Download | None = None
    by_hand: str = ""
    signs: tuple[str, ...] = ()
    """Patterns of files that are in its folder once it was got by hand."""

    @property
    def verb(self) -> str:
        """What `mien train data fetch` does about it."""
        return "downloads it" if self.download else "says how to get it"


SETS: Mapping[str, Published] = {
    "fer2013": Published(
        "fer2013",
        "FER2013",
        "for research use; its download needs a Kaggle account",
        by_hand="""\
1. Sign in at kaggle.com and accept the rules of the competition
   https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge/data
2. Download fer2013.tar.gz, unpack it, and put fer2013.csv (35,887 rows, columns emotion, pixels, Usage) into
   {folder}, as it is or as .xz, .gz or .zip.
Without it, image folders serve: https://www.kaggle.com/datasets/msambare/fer2013, its archive.zip put into
   {folder}, or unpacked there to train/angry/*.jpg and so on. FER+ has no votes for these files.""",
        signs=("fer2013.csv*", "*.zip", "*/*/*.jpg"),
    ),
    "ferplus": Published(
        "fer2013",
        "FER+ votes",
        "MIT (Microsoft)",
        download=Download(
            "https://raw.githubusercontent.com/microsoft/FERPlus/8ad5426c7b69e86e78afccb42c5f516850f52a28/fer2013new.csv",
            "fer2013new.csv",
            1_602_762,
            "9206e20d62f56475939f516847d61753e4860caeac9718b560129541b776fc2c",
        ),
    ),
    "fairface": Published(
        "fairface",
        "FairFace",
        "CC BY 4.0; its files lie on Google Drive, which asks before it hands out large ones",
        by_hand="""\
1. Open https://github.com/joojs/fairface and follow, under "Data", the links Padding=0.25, Train and
   Validation.
2. Put fairface-img-margin025-trainval.zip, fairface_label_train.csv and fairface_label_val.csv into
   {folder}. The archive need not be unpacked. Without a face_boxes.csv, Mien's own detector finds
   the faces.""",
        signs=("fairface_label_*.csv",),
    ),
    "utkface": Published(
        "utkface",
        "UTKFace",
        "for research that is not commercial; its files lie on Google Drive",
        by_hand="""\
1. Open https://susanqq.github.io/UTKFace/ and follow, under "Aligned&Cropped Faces", the link to the archive
   (or sign in and download https://www.kaggle.com/datasets/jangedoo/utkface-new as archive.zip).
2. Unpack it to {folder}/*.jpg, or put archive.zip there as it is. The "in-the-wild" parts do not serve: their
   pictures show more than one face.""",
        signs=("*.zip", "*.jpg", "*/*.jpg"),
    ),
    "ck+48": Published(
        "ck+48",
        "CK+48",
        "for research, under the agreement of the Cohn-Kanade database; its download needs a Kaggle account",
        by_hand="""\
1. Agree to the terms of the extended Cohn-Kanade database: http://www.jeffcohn.net/resources/
2. Sign in and download https://www.kaggle.com/datasets/shawon10/ckplus as archive.zip.
3. Unpack it to {folder}/anger/*.png and so on, or put archive.zip there as it is.""",
        signs=("*.zip", "*/*.png", "*/*/*.png"),
    ),
}
"""By the name that `mien train data fetch` takes."""
