#!/bin/bash -e
export MINIO_ROOT_USER="$access_key_id" MINIO_ROOT_PASSWORD="$secret_access_key" MINIO_REGION="$region"
nohup "$HOME/bin/minio" server --address :9000 "$HOME/minio/data" > "$HOME/minio/log" 2>&1 &
echo $! > "$HOME/minio/pid"
