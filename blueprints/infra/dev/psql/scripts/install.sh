#!/bin/bash -e
sudo yum -y install postgresql-server
