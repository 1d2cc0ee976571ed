"""A C2SP log verifier checks checkpoint, tiles, entry bundles and inclusion proofs.

Usage: tlog.py ANCHOR TILES_DIR PROOF…
"""
import base64
import json
import pathlib
import sys

import aics_tlog as tlog

anchor = json.loads(pathlib.Path(sys.argv[1]).read_text())
tiles = pathlib.Path(sys.argv[2])
key = tlog.parse_vkey(anchor["ledger_vkey"])


def checkpoint(text):
    verdict = tlog.verify_checkpoint(tlog.parse_note(text), key, expected_origin=anchor["origin"])
    assert verdict.ok and verdict.log_ok, verdict
    return tlog.parse_checkpoint(tlog.parse_note(text).text)


note = (tiles / "checkpoint").read_text()
head = checkpoint(note)
reader = tlog.FileSystemTileReader(tiles)
report = tlog.audit_tiles(reader, head.size, head.root)
print(f"{report.size} entries in {report.tiles} tiles and {report.bundles} bundles")

verified = tlog.VerifiedTileReader(reader, head.size, head.root)
genesis = base64.urlsafe_b64decode(anchor["genesis"] + "=")
assert tlog.leaf_hash(verified.entry(0)) == genesis, "entry 0 is the anchor's"

count = 0
for path in sys.argv[3:]:
    text = pathlib.Path(path).read_text()
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
