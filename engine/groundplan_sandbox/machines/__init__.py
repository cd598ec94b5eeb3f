"""The sandbox's virtual machines: SSH hosts on loopback addresses whose commands run in namespaces of their own.

Import `groundplan_sandbox.machines.host`. This package file stays empty of code, because the init of every machine
(`inside/`) is loaded through it and has to start fast, with the standard library alone.
"""
