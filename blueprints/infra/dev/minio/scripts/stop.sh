#!/bin/bash -e
# A server that is gone already is stopped.
if [ -f "$HOME/minio/pid" ]; then
    kill "$(cat "$HOME/minio/pid")" 2> /dev/null || true
    rm -f "$HOME/minio/pid"
fi
