"""Face data sets: download, import, cache, and inventory."""
