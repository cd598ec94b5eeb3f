"""The sandbox's AWS: moto's server inside our process, made to answer as the account a blueprint expects.

`server` starts it, `gate` checks credentials before moto sees a request, `ec2` holds what moto's EC2 lacks,
`instances` turns its instances into machines. EKS, RDS and CloudFormation are moto's own until their corrections join
`ec2` here.
"""
