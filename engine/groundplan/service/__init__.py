"""Use cases, one function and one transaction each; doors (`cli`, later `server`) call nothing below this room.

`assembly` is the one place that chooses store and driver. Nothing here prints, and nothing here runs operations.
"""
