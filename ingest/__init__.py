"""Cameras: opened, sampled, watched and kept running, each apart from the others."""
