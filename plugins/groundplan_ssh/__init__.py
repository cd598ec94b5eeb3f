"""The ssh plugin: runs a blueprint's scripts and commands on other hosts, over SSH."""
