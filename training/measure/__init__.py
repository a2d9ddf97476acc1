"""Measurements: calibration, bias, robustness, costs, comparisons, and ways of pooling."""
