"""Logs, traces and metrics of what drivers and attempts tell (`runtime.observer`); loaded only where they are wanted.

The only room that imports structlog and OpenTelemetry. It decides nothing, and nothing waits for it: what cannot be
delivered is dropped and counted.
"""
