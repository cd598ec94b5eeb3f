"""The terraform plugin: applies and destroys Terraform modules with the terraform or tofu binary of this machine."""
