"""The emulated world: AWS, Kubernetes, virtual machines and their services, for rehearsals and tests.

The engine never imports it; what binds a home to it is a file (`binding`), and its commands come by entry point.
"""
