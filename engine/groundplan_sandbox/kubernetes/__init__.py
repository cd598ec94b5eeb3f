"""The emulated Kubernetes API server of the sandbox.

It keeps objects, enforces the API's rules and runs the controllers that a workload needs to become Available.
It never runs a container: a pod's Ready is the sandbox's word, and the pod's condition says so.
`cluster` is the way in; `http` speaks the protocol, `api` holds the verbs, `controllers` react to changes.
"""
