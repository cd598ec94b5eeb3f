"""RDS as AWS answers it: each instance is a PostgreSQL server on an address of its own.

`instances` corrects moto's models; the servers are the postgres room's. Aurora clusters and other engines are refused.
"""
