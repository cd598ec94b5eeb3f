"""The small programs of a machine: what a script calls and no sandbox has for real (yum, minikube...).

Standard library only, run confined as `python -I -S` through launchers (`launchers.py`). What needs a server they ask
of the sandbox over the machine's control socket (`control.py` outside); everything else they do themselves.
"""
