"""Deployments made of deployments (spec part 6), and the other operations that belong to the engine itself.

`steps` dispatches; `components`, `shared_resources` and `passwords` do one node type each; `resource_config` reads
what they have in common. Written for `runtime.children`.
"""
