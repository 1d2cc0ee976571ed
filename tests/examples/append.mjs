// Appends a statement that a service signs itself, and checks the receipt.
//
// Usage: node append.mjs URL ANCHOR KEY ACTOR
//
// URL is the server, ANCHOR the ledger's anchor.json as it was handed out, KEY the service's private key (PEM), ACTOR its
// name in the ledger, such as service/xrgvdglkyg6lqvxu. Needs jose (npm install); the rest is Node's own.
// What is signed, and what is checked, stands in FORMAT.md, sections 2 and 7.
import assert from "node:assert/strict";
import { createHash, createPublicKey, randomBytes, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { CompactSign, calculateJwkThumbprint, exportJWK, importPKCS8 } from "jose";

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const fromBase64 = (text) => Buffer.from(text, "base64");

// Statements have ids that sort by time (RFC 9562).
function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// A signed statement: the JWS, and the values in it that can be withheld or erased later (an SD-JWT).
async function statement(anchor, pem, actor) {
  const key = await importPKCS8(pem, "Ed25519", { extractable: true });
  const { kty, crv, x } = await exportJWK(key);
  const salt = randomBytes(16).toString("base64url");
  const note = Buffer.from(JSON.stringify([salt, "note", "Backup of db-7 restored and compared"])).toString("base64url");
  const claims = {
    iss: actor,
    aud: `${anchor.origin}#${anchor.genesis}`, // for this ledger, and no other
    jti: uuid7(),
    iat: Math.floor(Date.now() / 1000),
    sub: "incident/INC-1", // the stream that it belongs to
    event: "x.acme.checked", // an event of one's own begins with x.
    occurred: new Date().toISOString(),
    via: "automation",
    facts: { result: "passed", runs: 3 }, // stays for ever: nothing personal here
    data: { _sd: [sha256(Buffer.from(note)).toString("base64url")] }, // only the digest stays for ever
    fields: ["note"],
    _sd_alg: "sha-256",
  };
  const header = { alg: "Ed25519", kid: await calculateJwkThumbprint({ kty, crv, x }), typ: "blotter+sd-jwt" };
  const jws = await new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(key);
  return `${jws}~${note}~`;
}

async function post(url, body) {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sd-jwt" }, body });
  const answer = await response.json();
  assert.equal(response.status, 201, JSON.stringify(answer)); // a problem says what is wrong (RFC 9457)
  return answer;
}

// Size and root in a checkpoint, once its signature is checked: a signed note, by the key that the anchor names.
function checkpoint(note, anchor) {
  const [body, signatures] = note.split("\n\n");
  const [, name, keyId, base64] = anchor.ledger_vkey.match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/);
  const bytes = fromBase64(base64);
  assert.equal(bytes[0], 1, "type 1 is Ed25519");
  const jwk = { kty: "OKP", crv: "Ed25519", x: bytes.subarray(1).toString("base64url") };
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const lines = signatures.trimEnd().split("\n").map((line) => line.split(" "));
  const ours = ([, signer, blob]) => signer === name && fromBase64(blob).subarray(0, 4).toString("hex") === keyId;
  const blob = fromBase64(lines.find(ours)?.[2] ?? "");
  assert(verify(null, Buffer.from(`${body}\n`), key, blob.subarray(4)), "the ledger did not sign this checkpoint");
  const [origin, size, root] = body.split("\n");
  assert.equal(origin, anchor.origin, "a checkpoint of another log");
  return { size: Number(size), root: fromBase64(root) };
}

// The root that a path leads to from a leaf (RFC 9162, section 2.1.3.2).
function rootOf(leaf, index, size, path) {
  let [node, at, last] = [leaf, index, size - 1];
  assert(at <= last);
  const up = () => ([at, last] = [Math.floor(at / 2), Math.floor(last / 2)]);
  for (const sibling of path) {
    assert(last > 0, "the path is too long");
    if (at % 2 === 1 || at === last) {
      node = sha256(Buffer.of(1), sibling, node);
      while (at % 2 === 0 && at > 0) up();
    } else {
      node = sha256(Buffer.of(1), node, sibling);
    }
    up();
  }
  assert.equal(last, 0, "the path is too short");
  return node;
}

// That our very statement is in the log whose head the ledger signed.
function check(receipt, sent, anchor) {
  const entry = JSON.parse(receipt.entry);
  assert.equal(entry.statement, sent.split("~")[0], "another statement");
  const [proof, ...rest] = receipt.proof.split("\n\n");
  const [magic, index, ...path] = proof.split("\n");
  assert.deepEqual([magic, index, entry.seq], ["c2sp.org/tlog-proof@v1", `index ${receipt.seq}`, receipt.seq]);
  const { size, root } = checkpoint(rest.join("\n\n"), anchor);
  const leaf = sha256(Buffer.of(0), Buffer.from(receipt.entry));
  assert(rootOf(leaf, receipt.seq, size, path.map(fromBase64)).equals(root), "the entry is not in the tree");
  return size;
}

const [url, anchorFile, keyFile, actor] = process.argv.slice(2);
const anchor = JSON.parse(readFileSync(anchorFile, "utf8"));
const sent = await statement(anchor, readFileSync(keyFile, "utf8"), actor);
const receipt = await post(`${url}/v1/statements`, sent);
const size = check(receipt, sent, anchor);
console.log(`entry ${receipt.seq} is in the log of ${size} entries that ${anchor.origin} signed`);
