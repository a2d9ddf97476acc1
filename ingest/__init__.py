"""Cameras: each is opened, sampled, monitored and restarted, independently of the others."""
