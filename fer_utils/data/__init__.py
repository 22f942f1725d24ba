"""The data set: found, read, cached, rid of copies, balanced.

Imports the ground files only.
"""
