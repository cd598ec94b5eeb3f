"""What Terraform finds in a sandboxed home: a stand-in for the provider hashicorp/aws, and modules for known addresses.

`mirror` puts them where the binary looks; `aws` is the provider, a program of its own that the binary starts.
"""
