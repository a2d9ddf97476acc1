"""Analysis of pictures and videos on disk: what `mien analyze` needs and the live path does not."""
