"""Where the faces are in a picture, and what is cut out of it.

Imports the ground files only.
"""
