"""Readers of the data sets' published files, one module per format.

They refuse what does not fit with a `DatasetError` that names file, row or picture, what was found and what
was expected. Each `load_...` keeps the decoded arrays in a cache folder (see `training.data.importers.cache`).
"""

from training.data.importers.ckplus import load_ckplus
from training.data.importers.fairface import load_fairface, read_fairface
from training.data.importers.fer2013 import load_fer2013, read_fer2013
from training.data.importers.places import dataset_folder
from training.data.importers.utkface import load_utkface

__all__ = [
    "dataset_folder",
    "load_ckplus",
    "load_fairface",
    "load_fer2013",
    "load_utkface",
    "read_fairface",
    "read_fer2013",
]
