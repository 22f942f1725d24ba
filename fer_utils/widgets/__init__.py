"""What notebooks show in the browser: the live webcam and the picture input.

Imports `recognition` and `video`.
"""
