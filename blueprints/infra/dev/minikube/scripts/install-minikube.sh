#!/bin/bash -e
curl -L -o "$HOME/minikube.rpm" https://storage.googleapis.com/minikube/releases/latest/minikube-latest.x86_64.rpm
sudo yum install -y "$HOME/minikube.rpm"
