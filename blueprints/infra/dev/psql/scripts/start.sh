#!/bin/bash -e
sudo systemctl start postgresql
