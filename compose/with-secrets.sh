#!/bin/sh
# Runs a program with the variables of the secret that is mounted for it, where there is one.
set -eu
if [ -f /run/secrets/neonblue.env ]; then
  set -a
  . /run/secrets/neonblue.env
  set +a
fi
exec "$@"
