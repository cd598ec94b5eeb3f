"""How operations reach scripts and programs: child processes, the ctx proxy, the files of a blueprint.

`machine.Machine` is the way in, one for each attempt. What stands under `programs/` runs in the children, on this
machine or another, never in the engine.
"""
