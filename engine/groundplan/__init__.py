"""Groundplan: an orchestration engine for blueprints in the Cloudify DSL.

Text becomes a typed blueprint, a blueprint becomes a graph, a graph becomes recorded outcomes.
This package only names its version; the rooms below it do the work (see docs/architecture.md).
"""

__version__ = "0.1.0"
