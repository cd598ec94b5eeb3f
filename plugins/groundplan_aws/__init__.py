"""AWS resources as node types: every call goes through `client`, the one module that imports the vendor library."""
