"""Kubernetes resources as nodes: applied server-side, awaited until they are ready, deleted with what they own."""
