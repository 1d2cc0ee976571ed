#!/usr/bin/env bash
# Appends a statement that a service signs itself, and checks the receipt.
#
# Usage: append.sh URL ANCHOR KEY ACTOR
#
# URL is the server, ANCHOR the ledger's anchor.json as it was handed out, KEY the service's private key (PEM), ACTOR its
# name in the ledger, such as service/xrgvdglkyg6lqvxu. Needs curl, OpenSSL 3, jq and coreutils.
# What is signed, and what is checked, stands in FORMAT.md, sections 2 and 7.
set -euo pipefail
url=$1 anchor=$2 key=$3 actor=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() { echo "$*" >&2; exit 1; }
b64url() { basenc --base64url --wrap=0 | tr -d =; }
sha256() { openssl dgst -sha256 -binary; }
hex() { basenc --base16 --wrap=0; }
unhex() { basenc --base16 --decode; }

# The key's name: the thumbprint of its public half (RFC 7638), which is the last 32 bytes of its DER.
x=$(openssl pkey -in "$key" -pubout -outform DER | tail -c 32 | b64url)
kid=$(printf '{"crv":"Ed25519","kty":"OKP","x":"%s"}' "$x" | sha256 | b64url)

# Statements have ids that sort by time (UUID version 7, RFC 9562).
random=$(openssl rand -hex 10)
ms=$(printf '%012x' "$(date +%s%3N)")
jti="${ms:0:8}-${ms:8:4}-7${random:0:3}-8${random:3:3}-${random:6:12}"

# A value that can be withheld or erased later; only its digest is in what is signed.
salt=$(openssl rand 16 | b64url)
note=$(jq -cn --arg salt "$salt" '[$salt, "note", "Backup of db-7 restored and compared"]' | tr -d '\n' | b64url)
digest=$(printf %s "$note" | sha256 | b64url)

header=$(jq -cn --arg kid "$kid" '{alg: "Ed25519", kid: $kid, typ: "blotter+sd-jwt"}' | b64url)
claims=$(jq -c --arg iss "$actor" --arg jti "$jti" --arg digest "$digest" --arg occurred "$(date -u +%FT%TZ)" '{
    iss: $iss,
    aud: "\(.origin)#\(.genesis)",
    jti: $jti,
    iat: (now | floor),
    sub: "incident/INC-1",
    event: "x.acme.checked",
    occurred: $occurred,
    via: "automation",
    facts: {result: "passed", runs: 3},
    data: {_sd: [$digest]},
    fields: ["note"],
    _sd_alg: "sha-256"
}' "$anchor" | b64url)
printf %s "$header.$claims" >"$work/input"
signature=$(openssl pkeyutl -sign -rawin -inkey "$key" -in "$work/input" | b64url)

# Send it; a problem (RFC 9457) says what is wrong.
status=$(curl --silent --show-error --output "$work/answer" --write-out '%{http_code}' \
    --header 'Content-Type: application/sd-jwt' --data-raw "$header.$claims.$signature~$note~" "$url/v1/statements")
[ "$status" = 201 ] || die "$status: $(cat "$work/answer")"

# The receipt: the entry's exact bytes, a path to the root of the tree, and the checkpoint that the ledger signed.
seq=$(jq .seq "$work/answer")
jq -j .entry "$work/answer" >"$work/entry"
[ "$(jq -r .statement "$work/entry")" = "$header.$claims.$signature" ] || die "another statement"
mapfile -t proof < <(jq -r .proof "$work/answer")
[ "${proof[0]}" = c2sp.org/tlog-proof@v1 ] && [ "${proof[1]}" = "index $seq" ] || die "not the proof of entry $seq"
path=() line=2
while [ -n "${proof[line]}" ]; do path+=("${proof[line++]}"); done
origin=${proof[line + 1]} size=${proof[line + 2]} root=${proof[line + 3]}

# The checkpoint's signature, by the key that the anchor names: name+id+key, where the key begins with its type.
vkey=$(jq -r .ledger_vkey "$anchor")
name=${vkey%%+*} id=${vkey#*+} vkey=${vkey#*+*+}
id=${id%%+*}
[ "$origin" = "$(jq -r .origin "$anchor")" ] || die "a checkpoint of another log"
[ "$(base64 -d <<<"$vkey" | head -c 1 | hex)" = 01 ] || die "not an Ed25519 key"
{ printf 302A300506032B6570032100 | unhex; base64 -d <<<"$vkey" | tail -c 32; } >"$work/vkey"
printf '%s\n' "$origin" "$size" "$root" >"$work/note"
for signed in "${proof[@]:line + 5}"; do
    read -r _ signer blob <<<"$signed"
    [ "$signer" = "$name" ] && [ "$(base64 -d <<<"$blob" | head -c 4 | hex)" = "${id^^}" ] || continue
    base64 -d <<<"$blob" | tail -c +5 >"$work/signature"
done
[ -s "$work/signature" ] || die "the ledger did not sign this checkpoint"
openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$work/vkey" -in "$work/note" -sigfile "$work/signature" \
    >/dev/null || die "the signature of the checkpoint does not hold"

# The root that the path leads to (RFC 9162, section 2.1.3.2). Hashes are in hex here, since a shell holds no bytes.
node=$({ printf '\0'; cat "$work/entry"; } | sha256 | hex)
index=$seq last=$((size - 1))
for sibling in ${path[@]+"${path[@]}"}; do
    sibling=$(base64 -d <<<"$sibling" | hex)
    [ $last -gt 0 ] || die "the path is too long"
    if [ $((index % 2)) = 1 ] || [ "$index" = "$last" ]; then
        node=$(printf %s "01$sibling$node" | unhex | sha256 | hex)
        while [ $((index % 2)) = 0 ] && [ "$index" -gt 0 ]; do index=$((index / 2)) last=$((last / 2)); done
    else
        node=$(printf %s "01$node$sibling" | unhex | sha256 | hex)
    fi
    index=$((index / 2)) last=$((last / 2))
done
[ $last = 0 ] || die "the path is too short"
[ "$node" = "$(base64 -d <<<"$root" | hex)" ] || die "the entry is not in the tree"
echo "entry $seq is in the log of $size entries that $origin signed"
