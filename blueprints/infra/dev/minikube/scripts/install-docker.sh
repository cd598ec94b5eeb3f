#!/bin/bash -e
sudo yum install -y yum-utils
sudo yum-config-manager --add-repo https://download.docker.com/linux/centos/docker-ce.repo
sudo yum install -y docker-ce docker-ce-cli containerd.io
# minikube's docker driver refuses root: a user of its own runs it.
id docker > /dev/null 2>&1 || sudo adduser docker -g docker
