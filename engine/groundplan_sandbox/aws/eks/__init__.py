"""EKS as AWS answers it: clusters that are a Kubernetes API, tokens that open it, node groups that bring nodes.

`clusters` and `node_groups` correct moto's models, `network` keeps what a cluster has in its VPC, `tokens` reads who
asks, `answers` adds the calls that moto lacks. Fargate profiles are moto's own.
"""
