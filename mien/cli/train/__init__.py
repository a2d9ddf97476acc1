"""`mien train`: from data sets to the models that ship. Needs the extra `train`."""
