"""Pictures of blueprints and of task graphs: what stands in one, written as Mermaid or drawn as SVG and PNG.

The room draws what an author wrote, and how far an execution has come; what happened is told by events.
"""
