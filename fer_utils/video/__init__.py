"""Emotions of faces that are followed through a video or a webcam's pictures.

Imports `faces` and `recognition`.
"""
