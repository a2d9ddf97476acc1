"""Simulated cameras: a drawn shop and composite visitors, for those who have no camera at hand.

Only pictures come out of here. Detector, tracker and classifier work on them as on any camera's.
"""
