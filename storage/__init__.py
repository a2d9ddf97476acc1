"""Rows: what is kept of what the cameras saw, and every figure that is read from it."""
