"""Pictures of blueprints: what stands in one, made from a blueprint, written as Mermaid or drawn as SVG and PNG.

The room draws what an author wrote; how a deployment of it is getting on is told by the events of its executions.
"""
