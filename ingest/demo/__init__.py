"""Simulated cameras: a drawn shop and composite visitors, for users without a camera.

Only pictures come out of here. Detector, tracker and classifier work on them as on any camera's.
"""
