#!/bin/sh
# Unmounts the file system, if it is mounted.
set -eu
path=$(ctx source node properties fs_mount_path)
if mountpoint -q "$path"; then
    umount "$path"
fi
