"""The operations of the S3 API, one function each: a site, a request and its payload in, a response out.

Callers are authenticated and allowed before they come here (server.py); routes.py says which request is which
operation.
"""
