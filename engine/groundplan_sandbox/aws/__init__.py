"""The sandbox's AWS: moto's server inside our process, made to answer as the account a blueprint expects.

`server` starts it, `gate` checks credentials before moto sees a request, `ec2` holds what moto's EC2 lacks,
`lifecycle` turns its instances into machines. `eks` runs a Kubernetes API for each cluster and is loaded when first
called (`corrections`). `transitions` makes states take time, `site` keeps the servers that run.
"""
