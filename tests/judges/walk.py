"""A second implementation of FORMAT.md, section 10, steps 1 to 6: bytes, links, streams, signatures, tree, checkpoints,
disclosures, blobs. It knows nothing of our code: the standard library, and Ed25519 from `cryptography`.

Of section 5 it judges what trust rests on (who owned which key when, who was enrolled, the ledger's key and its rotation),
not who may say what.

Usage: walk.py LEDGER_DIR ANCHOR [--accept-expunged]
Exit codes: 0 whole, 1 not (the first bad thing is named), 3 incomplete (something was expunged).
"""
import base64
import hashlib
import json
import pathlib
import re
import sqlite3
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ID = r"[a-z]{1,16}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?"
HASH = r"[A-Za-z0-9_-]{43}"
ENTRY = re.compile(
    r'\{"v":1,"seq":(0|[1-9][0-9]*),"prev":"(' + HASH + r')","streams":\[(.+)\],'
    r'"recorded":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)",'
    r'"statement":"([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)"\}'
)
LINK = re.compile(r'\["(' + ID + r')",(0|[1-9][0-9]*),"((?:' + HASH + r')?)"\]')
CLAIMS = {
    "iss", "for", "auth", "aud", "jti", "iat", "sub", "about", "event", "occurred", "precision", "seen", "cause",
    "corrects", "via", "facts", "data", "fields", "_sd_alg",
}
ALWAYS = {"iss", "aud", "jti", "iat", "sub", "event", "via", "facts"}


class Bad(Exception):
    pass


def need(holds, what):
    if not holds:
        raise Bad(what)


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(data):
    return sha256(b"\0" + data)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    need(re.fullmatch(r"[A-Za-z0-9_-]*", text) is not None, "not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(encode(data) == text, "base64url with trailing bits")
    return data


def strict_json(data):
    """Section 1.2."""

    def pairs(members):
        names = [name for name, _ in members]
        need(len(names) == len(set(names)), "a member twice")
        return dict(members)

    def refuse(text):
        raise Bad(f"the number {text}")

    def integer(text):
        need(text != "-0" and abs(int(text)) <= 2**53 - 1, f"the number {text}")
        return int(text)

    def check(value, depth):
        need(depth <= 8, "nested too deep")
        if isinstance(value, str):
            need("\0" not in value and not any(0xD800 <= ord(c) < 0xE000 for c in value), "a bad character")
        elif isinstance(value, list):
            for item in value:
                check(item, depth + isinstance(item, (list, dict)))
        elif isinstance(value, dict):
            for name, item in value.items():
                check(name, depth)
                check(item, depth + isinstance(item, (list, dict)))

    need(not data.startswith(b"\xef\xbb\xbf"), "a byte order mark")
    value = json.loads(
        data.decode("utf-8"), object_pairs_hook=pairs, parse_float=refuse, parse_int=integer, parse_constant=refuse
    )
    check(value, 1)
    return value


# Section 2.2. Points in extended coordinates would be faster; a walk of a few thousand entries needs no speed.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    need(y < P, "a point that is not canonical")
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need((x * x - x2) % P == 0, "not a point")
    need(x or not sign, "a point that is not canonical")
    return (P - x, y) if x & 1 != sign else (x, y)


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P
    return (x, y)


def is_small(p):
    for _ in range(3):
        p = add(p, p)
    return p == (0, 1)


def check_key(data):
    p = point(data)
    need(not is_small(p), "a key of small order")
    total, n = (0, 1), L
    while n:
        if n & 1:
            total = add(total, p)
        p, n = add(p, p), n >> 1
    need(total == (0, 1), "a key outside the prime-order subgroup")


def check_signature(key, message, signature):
    need(len(signature) == 64, "a signature that is not 64 bytes")
    need(int.from_bytes(signature[32:], "little") < L, "a signature whose s is not below L")
    need(not is_small(point(signature[:32])), "a signature whose R is of small order")
    try:
        # OpenSSL's equation is cofactorless.
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        raise Bad("the signature does not verify") from None


def jwk_key(jwk):
    need(set(jwk) == {"crv", "kty", "x"} and (jwk["crv"], jwk["kty"]) == ("Ed25519", "OKP"), "not a JWK of ours")
    key = decode(jwk["x"])
    need(len(key) == 32, "a key that is not 32 bytes")
    return key


def thumbprint(key):
    return encode(sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{encode(key)}"}}'.encode()))


def vkey_key(vkey):
    name, key_id, rest = vkey.split("+", 2)
    raw = base64.b64decode(rest, validate=True)
    need(raw[0] == 1 and len(raw) == 33, "not a verifier key of Ed25519")
    need(sha256(name.encode() + b"\n" + raw)[:4].hex() == key_id, "a verifier key with another id")
    return name, key_id, raw[1:]


class Tree:
    """Section 7: RFC 6962, one leaf after the other; the roots of all sizes."""

    def __init__(self):
        self.stack, self.size, self.roots, self.nodes = [], 0, [sha256(b"")], {}

    def push(self, leaf):
        index, height, hash_ = self.size, 0, leaf
        while index & 1:
            hash_ = node_hash(self.stack.pop(), hash_)
            index, height = index >> 1, height + 1
            if height % 8 == 0:
                self.nodes[(height // 8, index)] = hash_
        self.stack.append(hash_)
        self.size += 1
        root = self.stack[-1]
        for left in reversed(self.stack[:-1]):
            root = node_hash(left, root)
        self.roots.append(root)


def read_statement(jws):
    """Sections 2.1, 2.3 and 2.5, as far as they need no rules table."""
    head, body, signature = jws.split(".")
    header, claims = strict_json(decode(head)), strict_json(decode(body))
    need(set(header) == {"alg", "kid", "typ"}, "a header of other members")
    need(header["alg"] in ("EdDSA", "Ed25519") and header["typ"] == "blotter+sd-jwt", "alg or typ")
    need(set(claims) <= CLAIMS and ALWAYS <= set(claims), "claims unknown or missing")
    need(("for" in claims) == ("auth" in claims), "for and auth")
    need(claims.get("about") != [] and len(claims.get("about", [])) <= 7, "about")
    need(("occurred" in claims) != (claims.get("precision") == "unknown"), "occurred and precision")
    together = [name in claims for name in ("data", "fields", "_sd_alg")]
    need(all(together) or not any(together), "data, fields and _sd_alg")
    if any(together):
        digests, fields = claims["data"]["_sd"], claims["fields"]
        need(set(claims["data"]) == {"_sd"} and claims["_sd_alg"] == "sha-256", "data")
        need(digests == sorted(set(digests)) and fields == sorted(set(fields)), "data: not sorted, or one twice")
        need(len(digests) == len(fields) > 0, "not as many digests as fields")
    return header["kid"], claims, f"{head}.{body}".encode(), decode(signature)


class Walk:
    def __init__(self, anchor):
        self.anchor, self.tree = anchor, Tree()
        self.streams, self.keys, self.names, self.jtis = {}, {}, set(), {}
        self.prev = self.recorded = None
        self.ledger_keys = []
        self.erased, self.expunged, self.expunging = set(), {}, {}
        self.statements = []
        self.gap = False

    def entry(self, seq, leaf, jti, data):
        if len(data) == 32 and data == leaf:
            self.expunged[seq], self.gap = leaf, True
            self.statements.append(None)
            self.prev = encode(leaf)
            return self.tree.push(leaf)
        need(len(data) <= 65535, "too long")
        match = ENTRY.fullmatch(data.decode("ascii"))
        need(match, "not spelt as an entry")
        number, prev, streams, recorded, jws = match.groups()
        need(int(number) == seq, f"says that it is entry {number}")
        links = LINK.findall(streams)
        need(",".join(f'["{s}",{n},"{h}"]' for s, n, h in links) == streams, "streams are not spelt so")
        need(leaf == leaf_hash(data), "its leaf hash is another")
        kid, claims, message, signature = read_statement(jws)
        need(jti == bytes.fromhex(claims["jti"].replace("-", "")), "the jti beside it is another")
        need(claims["jti"] not in self.jtis, "its jti is taken")
        if seq == 0:
            self.found(claims, leaf)
            origin = claims["facts"]["origin"]
            need(prev == encode(sha256(f"blotter/1\n{origin}\n".encode())), "prev of entry 0")
            need(claims["aud"] == origin, "aud of entry 0")
        else:
            need(prev == self.prev, "prev is not the leaf hash of the entry before")
            need(claims["aud"] == f"{self.anchor['origin']}#{self.anchor['genesis']}", "aud is another ledger")
        need([s for s, _, _ in links] == [claims["sub"], *claims.get("about", [])], "streams are not the statement's")
        for stream, n, before in links:
            count, last = self.streams.get(stream.lower(), (0, ""))
            joins = int(n) == count and before == last
            # Across an expunged entry the links are those of the entries behind it.
            need(joins or (self.gap and int(n) > count), f"number or link in {stream}")
            self.streams[stream.lower()] = (int(n) + 1, encode(leaf))
        need(self.recorded is None or recorded >= self.recorded or claims["event"] == "clock.stepped", "recorded fell")
        owner, key, revoked = self.keys.get(kid, (None, None, None))
        need(key is not None and owner == claims["iss"], f"the key {kid} is not one of {claims['iss']}")
        need(not revoked, f"the key {kid} was revoked")
        check_signature(key, message, signature)
        self.seen(seq, claims)
        self.jtis[claims["jti"]] = seq
        self.fold(seq, claims)
        self.statements.append(claims)
        self.prev, self.recorded = encode(leaf), recorded
        self.tree.push(leaf)

    def found(self, claims, leaf):
        facts = claims["facts"]
        need(claims["event"] == "ledger.founded" and claims["sub"] == "ledger", "entry 0 founds no ledger")
        need(encode(leaf) == self.anchor["genesis"], "entry 0 is not the anchor's")
        need(facts["origin"] == self.anchor["origin"], "another origin than the anchor's")
        need(facts["ledger_vkey"] == self.anchor["ledger_vkey"], "another ledger key than the anchor's")
        need(facts["founder"] == claims["iss"] and claims["iss"].startswith("person/"), "not signed by the founder")
        need("seen" not in claims and "for" not in claims, "entry 0 has seen or for")
        self.own(claims["iss"], jwk_key(facts["jwk"]))
        need(thumbprint(jwk_key(facts["jwk"])) == self.anchor["founder"], "another founder than the anchor's")
        self.ledger_keys.append((facts["ledger_vkey"], 1))

    def own(self, actor, key):
        check_key(key)
        need(key not in [other for _, other, _ in self.keys.values()], "a key twice")
        self.keys[thumbprint(key)] = (actor, key, False)

    def seen(self, seq, claims):
        """Section 5.4, without the table of decisions: seen is of this log."""
        seen = claims.get("seen")
        person = claims["iss"].startswith("person/")
        need(seen is not None or not person or seq == 0, "a person without seen")
        need(seen is None or "for" not in claims, "a notarised statement with seen")
        if seen is None:
            return
        need(1 <= seen["size"] <= seq, "seen.size is beyond the log")
        need(encode(self.tree.roots[seen["size"]]) == seen["root"], "seen.root is another log's")
        if seen["n"] is not None:
            there = self.in_stream(claims["sub"], seen["n"])
            need(there is not None or self.gap, "seen.n is not there")
            if there is not None:
                at, leaf = there
                need(encode(leaf) == seen["leaf"] and at < seen["size"], "seen.leaf is not that of seen.n")

    def in_stream(self, stream, n):
        return self.places.get((stream.lower(), n))

    def fold(self, seq, claims):
        event, facts = claims["event"], claims["facts"]
        if event == "actor.enrolled":
            name = claims["sub"].removeprefix("actor/")
            need(name.lower() not in self.names, "the name is taken")
            need((facts["kind"] == "ledger") == (seq == 1), "entry 1, and only it, enrols the ledger's own actor")
            self.names.add(name.lower())
            if facts["kind"] != "imported":
                self.possession(claims, f"{facts['kind']}/{name}")
        elif event in ("key.added", "key.recovered"):
            owner = next(a for a, _, _ in self.keys.values() if a.split("/")[1] == claims["sub"].removeprefix("actor/"))
            if event == "key.recovered":
                self.keys = {kid: (a, k, r or a == owner) for kid, (a, k, r) in self.keys.items()}
            self.possession(claims, owner)
        elif event == "key.revoked":
            owner, key, _ = self.keys[facts["kid"]]
            self.keys[facts["kid"]] = (owner, key, True)
        elif event == "ledger.key-rotated":
            need(facts["old_vkey"] == self.ledger_keys[-1][0] and facts["from_size"] == seq + 1, "the rotation")
            self.ledger_keys.append((facts["new_vkey"], facts["from_size"]))
        elif event == "erasure.executed":
            self.erased.update(item["digest"] for item in facts["items"])
        elif event == "entry.expunged":
            self.expunging[facts["seq"]] = facts["leaf"]

    def possession(self, claims, actor):
        """Section 5.2: the new key signed that it wants to be enrolled, here, for this actor, by this enroller."""
        key = jwk_key(claims["facts"]["jwk"])
        head, body, signature = claims["facts"]["proof"].split(".")
        header, said = strict_json(decode(head)), strict_json(decode(body))
        need(header.pop("alg") in ("EdDSA", "Ed25519"), "the proof's alg")
        need(header == {"kid": thumbprint(key), "typ": "blotter-pop+jwt"}, "the proof's header")
        need(isinstance(said.pop("iat"), int), "the proof's iat")
        need(said == {"iss": actor, "aud": claims["aud"], "enroller": claims["iss"]}, "the proof is for something else")
        check_signature(key, f"{head}.{body}".encode(), decode(signature))
        self.own(actor, key)

    def checkpoint(self, size, note):
        text, _, signatures = note.rpartition("\n\n")
        need(size < len(self.tree.roots), f"over {size} entries, of {self.tree.size}")
        root = base64.b64encode(self.tree.roots[size]).decode()
        need(text + "\n" == f"{self.anchor['origin']}\n{size}\n{root}\n", f"checkpoint {size} is not of this tree")
        since = [index for index, (_, from_size) in enumerate(self.ledger_keys) if from_size <= size]
        wanted = self.ledger_keys[since[-1]:since[-1] + 1]
        if since[-1] > 0 and self.ledger_keys[since[-1]][1] == size:
            wanted = self.ledger_keys[since[-1] - 1:since[-1] + 1]
        lines = [line.split(" ") for line in signatures.splitlines()]
        for vkey, _ in wanted:
            name, key_id, key = vkey_key(vkey)
            blobs = [base64.b64decode(line[2]) for line in lines if line[0] == "—" and line[1] == name]
            blobs = [blob for blob in blobs if blob[:4].hex() == key_id]
            need(len(blobs) == 1, f"checkpoint {size} is not signed by {vkey}")
            check_signature(key, (text + "\n").encode(), blobs[0][4:])

    def disclosures(self, rows):
        shown, blobs = {}, {}
        for slot, seq, name, text in rows:
            claims = self.statements[seq] if seq < len(self.statements) else None
            need(slot // 64 == seq and claims, f"the value in slot {slot} belongs to no entry")
            digest = encode(sha256(text.encode()))
            salt, field, value = strict_json(decode(text))
            need(digest in claims.get("data", {"_sd": []})["_sd"], f"a value of entry {seq} that it does not name")
            need(field == name and field in claims["fields"], f"a value of entry {seq} under another name")
            need(16 <= len(decode(salt)) <= 32, f"a salt of entry {seq}")
            need((seq, field) not in shown and digest not in self.erased, f"a value of entry {seq}: twice, or erased")
            shown[(seq, field)] = digest
            match = re.fullmatch(r"blob:([0-9a-f]{64}):(0|[1-9][0-9]*):([a-z2-7]{26})", value) if isinstance(value, str) else None
            if match:
                blobs[match[3]] = (match[1], int(match[2]))
        for seq, claims in enumerate(self.statements):
            there = {digest for (at, _), digest in shown.items() if at == seq}
            missing = set((claims or {}).get("data", {"_sd": []})["_sd"]) - there - self.erased
            need(not missing, f"a value of entry {seq} is missing without an order")
        return len(shown), blobs


def walk(directory, anchor):
    db = sqlite3.connect(f"file:{directory / 'ledger.db'}?mode=ro", uri=True)
    run = Walk(anchor)
    run.places = {}
    for expected, (seq, leaf, jti, data) in enumerate(db.execute("select seq, leaf, jti, bytes from entry order by seq")):
        need(seq == expected, f"entry {expected}: not there")
        try:
            before = dict(run.streams)
            run.entry(seq, bytes(leaf), bytes(jti), bytes(data))
            for stream, (count, _) in run.streams.items():
                if before.get(stream, (0, ""))[0] != count:
                    run.places[(stream, count - 1)] = (seq, bytes(leaf))
        except (Bad, ValueError, KeyError, TypeError, StopIteration) as error:
            raise Bad(f"entry {seq}: {type(error).__name__ if not isinstance(error, Bad) else ''} {error}") from error
    for seq, leaf in run.expunged.items():
        need(run.expunging.get(seq) == encode(leaf), f"entry {seq}: expunged without an order")
    notes = db.execute("select size, note from checkpoint order by size").fetchall()
    for size, note in notes:
        run.checkpoint(size, note)
    need(notes and notes[-1][0] == run.tree.size, "the newest checkpoint is not over the whole log")
    need(anchor["size"] <= run.tree.size, "the anchor's holder saw a longer log")
    need(encode(run.tree.roots[anchor["size"]]) == anchor["root"], "the anchor's holder saw another log")
    for level, index, hash_ in db.execute("select level, idx, hash from node"):
        need(run.tree.nodes.pop((level, index), None) == bytes(hash_), f"node {index} of level {level}")
    need(not run.tree.nodes, "nodes are missing")
    count, blobs = run.disclosures(db.execute("select slot, seq, name, text from disclosure order by slot"))
    for name, data in db.execute("select id, bytes from blob"):
        need(blobs.pop(name, None) == (hashlib.sha256(data).hexdigest(), len(data)), f"blob {name}")
    need(not blobs, f"blobs are missing: {sorted(blobs)}")
    return {
        "entries": run.tree.size, "checkpoints": len(notes), "disclosures": count, "genesis": anchor["genesis"],
        "root": encode(run.tree.roots[-1]), "expunged": sorted(run.expunged),
    }


def main():
    try:
        anchor = strict_json(pathlib.Path(sys.argv[2]).read_bytes())
        result = walk(pathlib.Path(sys.argv[1]), anchor)
    except (Bad, sqlite3.DatabaseError) as error:
        print(f"not whole: {error}")
        return 1
    print(json.dumps(result))
    return 3 if result["expunged"] and "--accept-expunged" not in sys.argv else 0


sys.exit(main())
