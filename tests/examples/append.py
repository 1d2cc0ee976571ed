"""Appends a statement that a service signs itself, and checks the receipt.

Usage: append.py URL ANCHOR KEY ACTOR

URL is the server, ANCHOR the ledger's anchor.json as it was handed out, KEY the service's private key (PEM), ACTOR its
name in the ledger, such as service/xrgvdglkyg6lqvxu. Needs joserfc, a JOSE library; the rest is Python's own.
What is signed, and what is checked, stands in FORMAT.md, sections 2 and 7.
"""
import base64
import hashlib
import json
import secrets
import sys
import time
import urllib.request

from joserfc import jws
from joserfc.jwk import OKPKey


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sha256(data):
    return hashlib.sha256(data).digest()


def uuid7():
    """Statements have ids that sort by time (RFC 9562)."""
    n = (time.time_ns() // 1_000_000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    text = f"{n:032x}"
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


def statement(anchor, key, actor):
    """A signed statement: the JWS, and the values in it that can be withheld or erased later (an SD-JWT)."""
    now = time.time()
    note = b64url(json.dumps([b64url(secrets.token_bytes(16)), "note", "Backup of db-7 restored and compared"]).encode())
    claims = {
        "iss": actor,
        "aud": f"{anchor['origin']}#{anchor['genesis']}",  # for this ledger, and no other
        "jti": uuid7(),
        "iat": int(now),
        "sub": "incident/INC-1",  # the stream that it belongs to
        "event": "x.acme.checked",  # an event of one's own begins with x.
        "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "via": "automation",
        "facts": {"result": "passed", "runs": 3},  # stays for ever: nothing personal here
        "data": {"_sd": [b64url(sha256(note.encode()))]},  # only the digest stays for ever
        "fields": ["note"],
        "_sd_alg": "sha-256",
    }
    header = {"alg": "Ed25519", "kid": key.thumbprint(), "typ": "blotter+sd-jwt"}
    signed = jws.serialize_compact(header, json.dumps(claims), key, algorithms=["Ed25519"])
    return f"{signed}~{note}~"


def post(url, body):
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/sd-jwt"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def checkpoint(note, anchor):
    """Size and root in a checkpoint, once its signature is checked: a signed note, by the key that the anchor names."""
    text, signatures = note.split("\n\n")
    text += "\n"
    name, key_id, key = anchor["ledger_vkey"].split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1, "type 1 is Ed25519"
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(key[1:])}).public_key
    for line in signatures.splitlines():
        _, signer, signature = line.split(" ")
        signature = base64.b64decode(signature)
        if signer == name and signature[:4].hex() == key_id:
            public.verify(signature[4:], text.encode())  # raises if it does not hold
            origin, size, root = text.splitlines()
            assert origin == anchor["origin"], "a checkpoint of another log"
            return int(size), base64.b64decode(root)
    raise AssertionError("the ledger did not sign this checkpoint")


def root_of(leaf, index, size, path):
    """The root that a path leads to from a leaf (RFC 9162, section 2.1.3.2)."""
    node, last = leaf, size - 1
    assert index < size
    for sibling in path:
        assert last > 0, "the path is too long"
        if index & 1 or index == last:
            node = sha256(b"\x01" + sibling + node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling)
        index, last = index >> 1, last >> 1
    assert last == 0, "the path is too short"
    return node


def check(receipt, sent, anchor):
    """That our very statement is in the log whose head the ledger signed."""
    entry = json.loads(receipt["entry"])
    assert entry["statement"] == sent.split("~")[0], "another statement"
    proof, note = receipt["proof"].split("\n\n", 1)
    magic, index, *path = proof.splitlines()
    assert magic == "c2sp.org/tlog-proof@v1" and index == f"index {receipt['seq']}" and entry["seq"] == receipt["seq"]
    size, root = checkpoint(note, anchor)
    leaf = sha256(b"\x00" + receipt["entry"].encode())
    path = [base64.b64decode(line) for line in path]
    assert root_of(leaf, receipt["seq"], size, path) == root, "the entry is not in the tree"
    return size


def main():
    url, anchor, key, actor = sys.argv[1:]
    anchor = json.load(open(anchor))
    key = OKPKey.import_key(open(key).read())
    sent = statement(anchor, key, actor)
    receipt = post(f"{url}/v1/statements", sent)
    size = check(receipt, sent, anchor)
    print(f"entry {receipt['seq']} is in the log of {size} entries that {anchor['origin']} signed")


main()
