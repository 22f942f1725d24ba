"""Pictures and videos without number to one Parquet data set, here or on many machines.

``python -m fer_utils.bulk``. Imports `faces`, `network`, `recognition` and `video`.
"""
