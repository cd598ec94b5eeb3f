"""The sandbox's AWS: moto's server inside our process, made to answer as the account a blueprint expects.

`server` starts it, `gate` checks credentials before moto sees a request, `ec2` holds what moto's EC2 lacks,
`lifecycle` turns its instances into machines. `eks`, `rds` and `cloudformation` are loaded when first
called (`corrections`) and run real servers, which `site` keeps. `transitions` makes states take time.
"""
