"""Readers of the data sets' published files, one module per format.

They refuse what does not fit with a `DatasetError` that names file, row or picture, what was found and what
was expected. Each `load_...` keeps the decoded arrays in a cache folder (see `training.importers.cache`).
"""

from training.importers.ckplus import load_ckplus
from training.importers.fairface import load_fairface, read_fairface
from training.importers.fer2013 import load_fer2013, read_fer2013
from training.importers.places import dataset_folder
from training.importers.utkface import load_utkface

__all__ = [
    "dataset_folder",
    "load_ckplus",
    "load_fairface",
    "load_fer2013",
    "load_utkface",
    "read_fairface",
    "read_fer2013",
]
