"""What runs as process 1 of a cell: standard library only, started as `python -I -S`, outside the sandbox's process.

It never decides what a machine is; `cell.py` tells it (a `CellPlan`) and asks it to spawn, listen and dial.
"""
