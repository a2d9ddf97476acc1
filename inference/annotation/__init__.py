"""Faces and estimates drawn onto pictures."""
