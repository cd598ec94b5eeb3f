"""The servers of a machine, one module each, started when its small programs ask for them over the control socket.

PostgreSQL runs in the machine's cell. The object store and the Kubernetes API are the sandbox's, run no code of others
and live in its own process, with their folders outside the machine's file system.
"""
