"""The real Kubernetes control plane in the place of the emulated API, where its programs are at hand.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are those of Kubernetes; kwok stands in for kubelets,
so that pods become Ready without a container. `cluster` is the way in and has the shape of `kubernetes.cluster`;
`commands` says how the programs are called, `keeper` is the process that starts and ends them.
"""
