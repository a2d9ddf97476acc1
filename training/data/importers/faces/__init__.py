"""Photographs with boxes around their faces, in the formats in which such sets are published."""

from training.data.importers.faces.folder import load_marked
from training.data.importers.faces.marked import Marked

__all__ = ["Marked", "load_marked"]
