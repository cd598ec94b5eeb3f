#!/bin/sh
# Makes one partition on the target volume's device and notes it for mkfs.sh and mount.sh.
set -eu
partition="${device_name}1"
if [ ! -b "$partition" ]; then
    printf 'n\np\n1\n\n\nt\n%x\nw\n' "$(ctx source node properties partition_type)" | fdisk "$device_name"
fi
ctx source instance runtime-properties filesys "$partition"
