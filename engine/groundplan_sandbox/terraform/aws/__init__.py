"""A stand-in for the provider hashicorp/aws: the resources that `rows` has, made in the emulated AWS.

A program of its own, started by terraform or tofu (`__main__`); it is of no use outside of a sandbox.
"""
