#!/usr/bin/env bash
# Certificates and tokens for the example projects of profiles plant and wan.
#
#   bash examples/runtime_cloud/make-certs.sh DIR
#
# DIR holds the project folders runtime-plant, runtime-wan and runtime-boiler-1; those that exist are
# handled. A CA is made for each site under DIR/pki, a certificate issued for each project, bundles
# exchanged between the two wan projects, and the placeholders of runtime.toml replaced by random
# tokens, which DIR/tokens.env (mode 0600) holds as well. It is safe to run twice: what is there stays.
set -euo pipefail
umask 077 # Everything written here is for its owner alone.

dir=${1:?usage: make-certs.sh DIR}
tokens=$dir/tokens.env
placeholder=REPLACE_WITH_LONG_RANDOM_TOKEN

# token NAME: prints the token kept under that name, made when there is none.
token() {
    touch "$tokens"
    chmod 600 "$tokens"
    if ! grep -q "^$1=" "$tokens"; then
        printf '%s=%s\n' "$1" "$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" >>"$tokens"
    fi
    sed -n "s/^$1=//p" "$tokens"
}

# certify PROJECT SITE: the site's CA, and a certificate of it for the project.
certify() {
    local project=$dir/$1 ca=$dir/pki/$2
    [[ -f $ca/ca.crt ]] || trust-runtime pki init --site "$2" --ca "$ca"
    if ! [[ -f $project/certs/runtime.crt && -f $project/certs/runtime.key && -f $project/certs/ca.crt ]]; then
        trust-runtime pki issue --ca "$ca" --project "$project" --host "$(hostname)"
    fi
}

# replace PROJECT CONTROL MESH: tokens of these names instead of the placeholders.
replace() {
    local file=$dir/$1/runtime.toml control mesh
    grep -q "$placeholder" "$file" || return 0
    control=$(token "$2")
    mesh=$(token "$3")
    # By a pipe, not as arguments: those of a process are seen by every user of the machine.
    sed -f <(printf '%s\n' \
        "/^\[runtime.control\]/,/^\[runtime.mesh\]/s/$placeholder/$control/" \
        "/^\[runtime.mesh\]/,\$s/$placeholder/$mesh/") "$file" >"$file.new"
    mv "$file.new" "$file"
}

# trusts PROJECT SITE: the project accepts the runtimes of another site.
trusts() {
    trust-runtime pki export-bundle --ca "$dir/pki/$2" --out "$dir/pki/$2.pem"
    trust-runtime pki import-bundle --project "$dir/$1" --site "$2" "$dir/pki/$2.pem"
}

found=0
for row in "runtime-plant site-a PLANT" "runtime-wan site-a WAN" "runtime-boiler-1 site-b WAN"; do
    read -r name site mesh <<<"$row"
    [[ -f $dir/$name/runtime.toml ]] || continue
    found=1
    certify "$name" "$site"
    replace "$name" "$(tr 'a-z-' 'A-Z_' <<<"$name")_TOKEN" "MESH_${mesh}_TOKEN"
done
if [[ $found == 0 ]]; then
    echo "make-certs.sh: $dir holds none of runtime-plant, runtime-wan and runtime-boiler-1" \
        "with a runtime.toml; copy one of examples/runtime_cloud there first" >&2
    exit 1
fi
if [[ -f $dir/runtime-wan/runtime.toml && -f $dir/runtime-boiler-1/runtime.toml ]]; then
    trusts runtime-wan site-b
    trusts runtime-boiler-1 site-a
fi
echo "tokens        $tokens"
