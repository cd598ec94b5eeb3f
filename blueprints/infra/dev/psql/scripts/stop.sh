#!/bin/bash -e
sudo systemctl stop postgresql
