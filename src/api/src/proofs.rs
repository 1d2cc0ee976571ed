//! What proves: checkpoint, tiles, entry bundles, inclusion and consistency proofs, and the actors' keys. Checkpoint, hash
//! tiles and proofs say nothing of what happened, and are public (C2SP tlog-tiles, tlog-checkpoint, tlog-proof).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use blotter_keys::consistency_proof as proof_text;
use blotter_keys::merkle::{TreeError, consistency_proof, inclusion_proof};
use blotter_keys::tile::{Bundle, Tile, WIDTH_FULL, encode_bundle, encode_hashes};
use blotter_keys::tlog_proof::TlogProof;
use blotter_ledger::{Error, Read, StoreError, Tree, read};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// A full tile never changes (C2SP tlog-tiles).
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Bundles are for whoever was let in, and an entry in them can be expunged.
const PRIVATE: &str = "private, no-cache";
const SHORTLY: &str = "no-cache";

fn answer(media_type: &'static str, cache: &'static str, body: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, body).into_response()
}

/// The newest checkpoint
#[utoipa::path(get, path = "/checkpoint", tag = "proofs", responses(
    (status = 200, description = "A signed note (C2SP tlog-checkpoint)", body = String, content_type = "text/plain"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn checkpoint(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let note = app.read(|_, store| Ok(read::checkpoint(store)?.note().to_string())).await?;
    Ok(answer(TEXT, SHORTLY, note.into_bytes()))
}

/// How the contract says "bytes": an array of numbers, which it would make of a `Vec<u8>`, is something else.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct TileBytes(#[expect(dead_code, reason = "it is only described")] Vec<u8>);

/// A tile of hashes, or a bundle of entries
///
/// `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`, as in C2SP tlog-tiles. Hash tiles are public; bundles are for auditors.
#[utoipa::path(get, path = "/tile/{path}", tag = "proofs", params(("path" = String, Path, example = "0/000.p/1", description = "Such as `0/x001/067` or `entries/000.p/5`")), responses(
    (status = 200, description = "Its bytes", body = TileBytes, content_type = "application/octet-stream"),
    (status = 410, description = "An entry of the bundle was expunged by order", body = Problem, content_type = "application/problem+json"),
    (status = "4XX", description = "Not there yet, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security((), ("token" = [])))]
pub(crate) async fn tile(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let path = format!("tile/{path}");
    if let Ok(bundle) = path.parse::<Bundle>() {
        let auditor = caller.audits(&app)?.clone();
        let bytes = app.read(move |app, store| bundle_bytes(app, store, &bundle, &auditor)).await?;
        return Ok(answer(BYTES, PRIVATE, bytes));
    }
    let tile = path.parse::<Tile>().map_err(|e| Problem::new("not-found", format!("{path}: {e}")))?;
    let cache = if tile.width() == WIDTH_FULL { FOR_EVER } else { SHORTLY };
    let bytes = app.read(move |_, store| tile_bytes(store, &tile)).await?;
    Ok(answer(BYTES, cache, bytes))
}

fn tile_bytes(store: &dyn Read, tile: &Tile) -> Result<Vec<u8>, Problem> {
    if !tile.is_within(read::checkpoint(store)?.claimed_size()) {
        return Err(Problem::new("not-found", format!("{tile}: the log is not that long yet")));
    }
    let hashes = store.hashes(tile.level(), tile.start(), u32::from(tile.width()))?;
    Ok(encode_hashes(&hashes))
}

fn bundle_bytes(
    app: &App,
    store: &dyn Read,
    bundle: &Bundle,
    auditor: &blotter_record::ActorId,
) -> Result<Vec<u8>, Problem> {
    let shown = app.shown(store)?;
    if !bundle.is_within(read::checkpoint(store)?.claimed_size().min(shown.position())) {
        return Err(Problem::new("not-found", format!("{bundle}: the log is not that long yet")));
    }
    let entries = read::entries(store, bundle.start(), usize::from(bundle.width()))?;
    for entry in &entries {
        let seq = entry.stored.seq;
        match &entry.said {
            None => return Err(Problem::new("expunged", format!("entry {seq} in it was expunged by order"))),
            Some((_, said)) if !shown.may_read(auditor, said.streams()) => {
                return Err(Problem::new(
                    "restricted",
                    format!("entry {seq} in it is of an incident that only those named may read; have {auditor} named"),
                ));
            }
            Some(_) => {}
        }
    }
    let bytes = encode_bundle(entries.iter().map(|entry| entry.stored.bytes.as_slice()));
    bytes.map_err(|e| Error::Corrupt { seq: bundle.start(), what: e.to_string() }.into())
}

/// Which checkpoint a proof is to lead to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SizeQuery {
    /// The size of a checkpoint that the ledger signed; the newest if it is not said.
    #[param(minimum = 1)]
    size: Option<u64>,
}

/// The proof that an entry is in the log
#[utoipa::path(get, path = "/v1/proofs/inclusion/{seq}", tag = "proofs", params(("seq" = u64, Path, description = "The entry's number")), responses(
    (status = 200, description = "A file of C2SP tlog-proof, with the newest checkpoint", body = String, content_type = "text/plain"),
    (status = "4XX", description = "Not there", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn inclusion(State(app): State<Arc<App>>, Path(seq): Path<u64>) -> Result<Response, Problem> {
    let make = move |app: &App, store: &dyn Read| {
        let (note, tree) = (read::checkpoint(store)?, Tree(store));
        let tree = app.subtrees.over(&tree, note.claimed_size());
        let path = inclusion_proof(&tree, seq, note.claimed_size()).map_err(tree_problem)?;
        let proof = TlogProof::new(seq, path, note.note()).map_err(|e| Error::Corrupt { seq, what: e.to_string() })?;
        Ok(proof.to_string())
    };
    Ok(answer(TEXT, SHORTLY, app.read(make).await?.into_bytes()))
}

/// Between which sizes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsistencyQuery {
    /// The size of the older tree, at least 1.
    #[param(minimum = 1)]
    old: u64,
    /// The size of the newer tree; the newest checkpoint's if it is not said.
    new: Option<u64>,
}

/// The proof that the log only grew
#[utoipa::path(get, path = "/v1/proofs/consistency", tag = "proofs", params(ConsistencyQuery), responses(
    (status = 200, description = "The proof of RFC 6962 §2.1.2: a hash a line, in base64; nothing for equal sizes", body = String, content_type = "text/plain"),
    (status = "4XX", description = "No such trees", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn consistency(
    State(app): State<Arc<App>>,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Response, Problem> {
    let make = move |app: &App, store: &dyn Read| {
        let (size, tree) = (read::checkpoint(store)?.claimed_size(), Tree(store));
        let new = query.new.unwrap_or(size);
        if new > size {
            return Err(Problem::new("bad-parameter", format!("new: the log has {size} entries")).at("new"));
        }
        let proof = consistency_proof(&app.subtrees.over(&tree, size), query.old, new).map_err(tree_problem)?;
        Ok(proof_text::print(&proof))
    };
    Ok(answer(TEXT, SHORTLY, app.read(make).await?.into_bytes()))
}

fn tree_problem(error: TreeError<StoreError>) -> Problem {
    match error {
        TreeError::Store(error) => error.into(),
        TreeError::OutOfTree { .. } => Problem::new("not-found", error.to_string()).at("seq"),
        TreeError::NotOlder { .. } => Problem::new("bad-parameter", error.to_string()).at("old"),
        TreeError::Short { start, .. } => Error::Corrupt { seq: start, what: error.to_string() }.into(),
    }
}

/// The keys of a ledger, as JSON Web Keys (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Keys {
    /// Each with its owner, and whether it may still sign.
    keys: Vec<KeyView>,
    /// Entries of the log that this is true for.
    size: u64,
    /// What statements for this ledger must have as `aud`.
    audience: String,
    /// The verifier key of its checkpoints (C2SP signed-note).
    ledger_vkey: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    /// RFC 7638 thumbprint.
    kid: String,
    kty: &'static str,
    crv: &'static str,
    x: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    /// Whose it is.
    actor: String,
    /// The entry that added it.
    added: u64,
    /// The entry that revoked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Whether it came by recovery.
    recovered: bool,
}

/// The actors' keys, at a size of the log
#[utoipa::path(get, path = "/v1/keys", tag = "proofs", params(SizeQuery), responses(
    (status = 200, description = "A JWK set (RFC 7517 §5)", body = Keys),
    (status = "4XX", description = "Not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn keys(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<SizeQuery>,
) -> Result<Json<Keys>, Problem> {
    caller.reads(&app)?;
    let make = move |_: &App, store: &dyn Read| {
        let now = read::checkpoint(store)?.claimed_size();
        let size = query.size.unwrap_or(now);
        if size == 0 || size > now {
            return Err(Problem::new("bad-parameter", format!("size: from 1 to {now}")).at("size"));
        }
        let keyring = read::keyring_before(store, size)?;
        let keyring = keyring.ok_or_else(|| Problem::new("bad-parameter", "size: nobody had a key then").at("size"))?;
        let view = |(kid, key): (&blotter_record::Hash, &blotter_keys::keyring::Key)| KeyView {
            kid: kid.to_string(),
            kty: "OKP",
            crv: "Ed25519",
            x: x_of(&key.public),
            alg: "EdDSA",
            usage: "sig",
            actor: key.actor.to_string(),
            added: key.added_seq,
            revoked: key.revoked_seq,
            expires: key.expires.as_ref().map(|at| at.as_str().to_owned()),
            recovered: key.recovered,
        };
        let mut keys: Vec<KeyView> = keyring.keys().map(view).collect();
        keys.sort_by(|a, b| (a.added, &a.kid).cmp(&(b.added, &b.kid)));
        let ledger_vkey = keyring.checkpoint_keys(size).into_iter().map(|vkey| vkey.to_string()).collect();
        Ok(Keys { keys, size, audience: keyring.audience().to_owned(), ledger_vkey })
    };
    app.read(make).await.map(Json)
}

fn x_of(key: &blotter_keys::ed25519::PublicKey) -> String {
    blotter_record::base64url::encode(key.as_bytes())
}

/// The entries that the keyring is folded from
///
/// With these and their proofs a client knows by itself who may say what.
#[utoipa::path(get, path = "/v1/keyring", tag = "proofs", responses(
    (status = 200, description = "Their seqs, in order", body = Vec<u64>),
    (status = "4XX", description = "Not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn keyring(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<u64>>, Problem> {
    caller.reads(&app)?;
    app.read(|_, store| Ok(store.trusted()?)).await.map(Json)
}
