"""Cells: trees of processes with a file system and a loopback of their own, for what is not the sandbox's.

Machines (`groundplan_sandbox.machines`) and databases (`groundplan_sandbox.postgres`) are built on them. This package
file stays empty of code: process 1 of every cell (`inside/`) is loaded through it, with the standard library alone.
"""
