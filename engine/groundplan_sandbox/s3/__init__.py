"""The emulated MinIO server: `ObjectStore`, an S3 API that checks signatures and keeps its objects in a folder.

It stands in for `minio server DIR` on the sandbox's VMs, and is held to the real one by tests/contracts/s3. It has no
console, no administration API, no users beside root, no versions, no encryption and no locks, and says NotImplemented
when asked for them.
"""

from groundplan_sandbox.s3.server import ObjectStore

__all__ = ["ObjectStore"]
