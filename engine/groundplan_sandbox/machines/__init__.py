"""The sandbox's virtual machines: SSH hosts on loopback addresses whose commands run in namespaces of their own.

Import `groundplan_sandbox.machines.host`, the door. The small programs (`programs/`) are loaded inside machines with
the standard library alone, so this package file stays empty of code.
"""
