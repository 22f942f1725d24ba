"""From a picture, or a folder of them, to faces with emotions, drawn or as a table.

Imports `faces` and `network`.
"""
