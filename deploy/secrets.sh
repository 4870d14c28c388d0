#!/bin/sh
# Makes the secrets of deploy/compose.yaml, once. Keep a copy of `keyring` elsewhere: without it nobody can read a name.
set -eu
cd "$(dirname "$0")"
mkdir -m 700 secrets
# The folder is closed; inside it the files must be readable for the containers' users.
umask 022
password=$(openssl rand -hex 24)
printf '%s' "$password" > secrets/postgres_password
printf 'postgresql://huifang:%s@postgres:5432/huifang' "$password" > secrets/database_url
printf 'k1:%s,index:%s' "$(openssl rand -base64 32)" "$(openssl rand -base64 32)" > secrets/keyring
echo "made deploy/secrets"
