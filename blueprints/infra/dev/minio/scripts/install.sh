#!/bin/bash -e
mkdir -p "$HOME/bin" "$HOME/minio/data"
curl -L -o "$HOME/bin/minio" https://dl.min.io/server/minio/release/linux-amd64/minio
chmod +x "$HOME/bin/minio"
