#!/bin/sh
# Mounts the file system where its node says, unless it is mounted.
set -eu
partition=$(ctx source instance runtime-properties filesys)
path=$(ctx source node properties fs_mount_path)
mkdir -p "$path"
mountpoint -q "$path" || mount "$partition" "$path"
