#!/bin/sh
# Makes a file system on the partition that fdisk.sh made, unless one is there.
set -eu
fs_type=$(ctx node properties fs_type)
partition=$(ctx instance runtime-properties filesys)
if [ -z "$(blkid -o value -s TYPE "$partition" || true)" ]; then
    mkfs -t "$fs_type" "$partition"
fi
