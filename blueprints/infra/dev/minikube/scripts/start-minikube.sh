#!/bin/bash -e
# Published on every address of the machine, under the machine's own name in the certificate.
sudo su - docker -c "minikube start --driver=docker --listen-address=0.0.0.0 --ports=8443:8443 \
    --apiserver-ips=$address --embed-certs"
# The address in minikube's own kubeconfig holds on the machine only.
kubeconfig=$(sudo su - docker -c 'cat ~/.kube/config' | sed "s#server: https://.*#server: https://$address:8443#")
ctx instance runtime-properties kubeconfig "$kubeconfig"
