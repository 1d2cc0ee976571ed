//! A server in a few lines: a world whose ledger it writes, people who sign in, and tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use blotter_api::{App, Config, Mappings, Notary, router, token_sha256, token_text};
use blotter_exchange::alerts::Mapping;
use blotter_exchange::tickets::TicketMapping;
use blotter_keys::jwk::thumbprint;
use blotter_keys::login::Login;
use blotter_ledger::Ledger;
use blotter_record::{Id, Json, base64url};
use blotter_tests::{Faults, World};
use http_body_util::BodyExt;
use serde_json::Value;
use tower_service::Service;

pub const URL: &str = "https://ledger.example.org";

const EVE: &str = include_str!("../../../exchange/mappings/suricata.toml");
const JIRA: &str = include_str!("../../../exchange/mappings/jira.toml");

pub struct Server {
    pub world: World,
    app: Arc<App>,
    runtime: tokio::runtime::Runtime,
}

pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub headers: axum::http::HeaderMap,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn lines(&self) -> Vec<Value> {
        let lines = self.body.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

impl Server {
    /// A server over a ledger to which `before` adds what it likes.
    pub fn new(before: impl FnOnce(&World, &Ledger)) -> Self {
        Self::with(Config { url: URL.to_owned(), ..Config::default() }, before)
    }

    pub fn with(config: Config, before: impl FnOnce(&World, &Ledger)) -> Self {
        Self::on(&Faults::new(), config, before)
    }

    /// The same, on a store that fails when `faults` say so.
    pub fn on(faults: &Arc<Faults>, config: Config, before: impl FnOnce(&World, &Ledger)) -> Self {
        let world = World::new();
        let ledger = world.open_faulty(faults);
        before(&world, &ledger);
        let notary = world.person("notary");
        let notary = Notary { actor: notary.actor, key: notary.key };
        let (now_us, count) = (world.now_us(), AtomicU64::new(1));
        let random = move |bytes: &mut [u8]| {
            let seed = count.fetch_add(1, Ordering::Relaxed);
            let hash = blotter_record::Hash::of(&seed.to_be_bytes());
            bytes.iter_mut().zip(hash.0.iter().cycle()).for_each(|(byte, hash)| *byte = *hash);
        };
        let mappings = Mappings {
            alerts: [("eve".to_owned(), Mapping::parse(EVE).unwrap())].into(),
            tickets: [("jira".to_owned(), TicketMapping::parse(JIRA).unwrap())].into(),
        };
        let views = world.dir().join("views.db");
        let app = App::new(ledger, Some(notary), mappings, views, config, Box::new(move || now_us), Box::new(random))
            .unwrap();
        Self { world, app, runtime: tokio::runtime::Runtime::new().unwrap() }
    }

    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    pub fn send(&self, request: Request<Body>) -> Answer {
        send(&self.runtime, &self.app, request)
    }

    pub fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.send(request("GET", path, bearer, None, Body::empty()))
    }

    pub fn post(&self, path: &str, bearer: Option<&str>, media_type: &str, body: &str) -> Answer {
        self.send(request("POST", path, bearer, Some(media_type), Body::from(body.to_owned())))
    }

    /// Signs in; the session.
    pub fn login(&self, who: &str) -> String {
        let offer = self.get("/v1/login", None).json();
        let jws = self.login_jws(who, offer["nonce"].as_str().unwrap(), offer["aud"].as_str().unwrap(), URL);
        let answer = self.post("/v1/login", None, "application/jwt", &jws);
        assert_eq!(answer.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["session"].as_str().unwrap().to_owned()
    }

    pub fn login_jws(&self, who: &str, nonce: &str, aud: &str, url: &str) -> String {
        let person = self.world.person(who);
        let login = Login {
            actor: person.actor,
            aud: aud.to_owned(),
            nonce: nonce.to_owned(),
            url: format!("{url}/v1/login"),
            iat: self.world.now_us() / 1_000_000,
        };
        let input = login.signing_input(&thumbprint(person.key.public())).unwrap();
        let signature = person.key.sign(input.as_str().as_bytes());
        format!("{}.{}", input.as_str(), base64url::encode(&signature))
    }
}

/// What the server of `app` answers.
pub fn send(runtime: &tokio::runtime::Runtime, app: &Arc<App>, request: Request<Body>) -> Answer {
    let mut routes = router(Arc::clone(app));
    runtime.block_on(async move {
        let response = routes.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, body, headers: parts.headers }
    })
}

pub fn request(method: &str, path: &str, bearer: Option<&str>, media_type: Option<&str>, body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(bearer) = bearer {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    request.body(body).unwrap()
}

/// Has the admin issue a token for `who`.
pub fn issue(world: &World, ledger: &Ledger, name: &str, who: &str, scopes: &[&str], expires: &str) -> String {
    let id: Id = format!("token/{name}").parse().unwrap();
    let text = token_text(&id, &[7; 32]);
    let scopes = scopes.iter().map(|scope| Json::from(*scope)).collect();
    world
        .say("admin", "token.issued", &format!("actor/{who}"))
        .fact("token", id.as_str())
        .fact("scopes", Json::List(scopes))
        .fact("expires", expires)
        .data("token_sha256", token_sha256(&text))
        .append(ledger)
        .unwrap();
    text
}

pub const NEXT_YEAR: &str = "2027-11-23T00:00:00Z";
