"""A C2SP log verifier checks checkpoint, tiles, entry bundles and inclusion proofs.

Usage: tlog.py ANCHOR TILES PROOF…

TILES is a directory or a server's URL; PROOF a file, or the number of an entry whose proof the server gives. Entry bundles
are asked for with the token in TOKEN; everything else must be there for anybody.
"""
import base64
import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

import aics_tlog as tlog
from aics_tlog.tiles import entry_bundle_path, tile_path

anchor = json.loads(pathlib.Path(sys.argv[1]).read_text())
tiles = sys.argv[2]
is_served = tiles.startswith("http")
key = tlog.parse_vkey(anchor["ledger_vkey"])


def checkpoint(text):
    verdict = tlog.verify_checkpoint(tlog.parse_note(text), key, expected_origin=anchor["origin"])
    assert verdict.ok and verdict.log_ok, verdict
    return tlog.parse_checkpoint(tlog.parse_note(text).text)


def fetch(path, headers={}):
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{tiles}/{path}", headers=headers)) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


class ServedTiles:
    def read_tile(self, level, index, width):
        return fetch(tile_path(level, index, width))

    def read_entry_bundle(self, index, width):
        return fetch(entry_bundle_path(index, width), {"Authorization": f"Bearer {os.environ['TOKEN']}"})


def proof_text(name):
    return fetch(f"v1/proofs/inclusion/{name}").decode() if is_served else pathlib.Path(name).read_text()


note = fetch("checkpoint").decode() if is_served else (pathlib.Path(tiles) / "checkpoint").read_text()
head = checkpoint(note)
reader = ServedTiles() if is_served else tlog.FileSystemTileReader(tiles)
report = tlog.audit_tiles(reader, head.size, head.root)
print(f"{report.size} entries in {report.tiles} tiles and {report.bundles} bundles")

verified = tlog.VerifiedTileReader(reader, head.size, head.root)
genesis = base64.urlsafe_b64decode(anchor["genesis"] + "=")
assert tlog.leaf_hash(verified.entry(0)) == genesis, "entry 0 is the anchor's"

count = 0
for path in sys.argv[3:]:
    text = proof_text(path)
    start, _, note = text.partition("\n\n")
    lines = start.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1", lines[0]
    index = int(lines[1].removeprefix("index "))
    proof = [base64.b64decode(line, validate=True) for line in lines[2:]]
    signed = checkpoint(note)
    leaf = tlog.leaf_hash(verified.entry(index))
    assert tlog.verify_inclusion(leaf, index, signed.size, proof, signed.root), path
    assert proof == tlog.inclusion_proof_from_tiles(reader, index, signed.size), path
    count += 1
print(f"{count} proofs")
